// @vitest-environment jsdom
import { beforeAll, beforeEach, expect, test } from "vitest";
import { dropSecondTaps } from "./second-tap.ts";

let met: string[] = [];
beforeAll(() => dropSecondTaps(document));
beforeEach(() => {
  met = [];
  screen("save");
});

/** A screen with one button, in the place of the one before. */
function screen(name: string): void {
  document.body.innerHTML = `<button><i>${name}</i></button>`;
  document.body.querySelector("button")!.addEventListener("click", () => met.push(name));
}
let clock = 10_000;
/** Returns whether the page was left to do what a tap does there. */
function tap({ after = 100, right = 0, detail = 1, pointerType = "touch" } = {}): boolean {
  const event = new MouseEvent("click", { bubbles: true, cancelable: true, detail, clientX: 180 + right, clientY: 700 });
  clock += after;
  Object.defineProperties(event, { timeStamp: { value: clock }, pointerType: { value: pointerType } });
  return document.body.querySelector("i")!.dispatchEvent(event);
}

test.each([
  { why: "a glove's second tap", second: {}, isMet: false },
  { why: "a mouse's second click, however late the screen came", second: { after: 900, detail: 2, pointerType: "mouse" }, isMet: false },
  { why: "somebody who has seen the new screen", second: { after: 350 }, isMet: true },
  { why: "another finger at another place", second: { right: 60 }, isMet: true },
  { why: "a mouse's next click", second: { pointerType: "mouse" }, isMet: true },
  { why: "a key, or the program itself", second: { detail: 0 }, isMet: true },
])("on the screen that a tap has brought, $why: met $isMet", ({ second, isMet }) => {
  tap({ after: 5_000 });
  screen("all as it was");
  expect(tap(second)).toBe(isMet);
  expect(met).toStrictEqual(isMet ? ["save", "all as it was"] : ["save"]);
});

test("what is still there is tapped as often as somebody likes, also where its picture has changed", () => {
  tap({ after: 5_000 });
  document.body.querySelector("i")!.outerHTML = "<i>more</i>";
  tap();
  tap({ detail: 3 });
  expect(met).toStrictEqual(["save", "save", "save"]);
});

test("a third tap is none either, and after a rest the new screen is there to be tapped", () => {
  tap({ after: 5_000 });
  screen("all as it was");
  tap();
  tap({ after: 200 });
  expect(met).toStrictEqual(["save"]);
  tap({ after: 400 });
  expect(met).toStrictEqual(["save", "all as it was"]);
});
