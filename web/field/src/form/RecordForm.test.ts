// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { drawn, slowBack, soon } from "../kit-screens.ts";
import { reference } from "../session.ts";

const made = vi.hoisted(() => ({ photo: (_: Uint8Array | Promise<never>): void => undefined }));
vi.mock("./shrink.ts", () => ({ shrink: () => new Promise((resolve) => (made.photo = resolve)) }));

afterEach(() => void vi.restoreAllMocks());
const id = "01941f29-8aae-77f9-9a74-464f0c127001";
const stock = { name: "沙袋", kind: "supply", quantity: 10 };

test("a movement of a stock that is saved with many taps is one movement, and one step back", async () => {
  const { engine, go, tap, type, at, buttons, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "resource", id, set: stock }]));
  for (const path of ["/find", "/resources", `/edit/${id}`]) await go(path);
  await tap("出库");
  await type("quantity", "3");
  await soon(() => expect(document.body.textContent).toContain("7"));
  const gone = slowBack();
  await vi.waitFor(() => {
    buttons("保存")[0]?.click();
    expect(location.hash).not.toContain("edit");
  }, { interval: 5, timeout: 30_000 });
  await gone();
  await at(/^\/resources$/);
  expect(engine.operations({ recordId: id }).map((one) => one.kind)).toStrictEqual(["patch", "create"]);
  expect(engine.read(id)?.fields["quantity"]).toBe(7);
  close();
});

test.each([
  { why: "saved", leave: "保存" },
  { why: "left by Back", leave: "返回" },
])("a photo that is still made small when the form is $why is waited for in words; where it fails nobody is led past that, and a second one belongs to the form", async ({ leave }) => {
  const { engine, go, tap, at, says, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "resource", id, set: stock }]));
  for (const path of ["/resources", `/edit/${id}`]) await go(path);
  const input = await soon(() => document.querySelector<HTMLInputElement>("#f-photos") ?? expect.fail("no photos"));
  Object.defineProperty(input, "files", { value: [new File(["photo"], "photo.jpg")] });
  Object.defineProperty(input, "value", { value: "", writable: true });
  const taking = (): Promise<void> => soon(() => expect(input.disabled).toBe(false)).then(() => void input.dispatchEvent(new Event("change")));
  await taking();
  await tap(leave);
  await soon(() => expect(document.querySelector("[type=submit]")?.textContent, "the tap has met something").toBe("照片还在存，请稍等…"));
  made.photo(Promise.reject(new Error("no answer")));
  await says("照片没有存上");
  await at(/^\/edit\//);
  await taking();
  await tap(leave);
  made.photo(new Uint8Array([1, 2, 3]));
  await at(/^\/resources$/);
  expect(engine.read(id)?.fields["photos"]).toHaveLength(1);
  close();
});

test("a result that an older app left empty is written by a save, though no answer is changed", async () => {
  const { engine, go, tap, at, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "resource", id, set: stock }]));
  const known = reference.value!.forms["resource"]!;
  const twice = { name: "twice", type: "integer", label: { zh: "两倍", en: "Twice" }, privacy: "internal", calculation: { text: "${quantity} * 2", tree: { call: "*", args: [{ field: "quantity" }, { lit: 2 }] } } } as const;
  reference.value = { ...reference.value!, forms: { ...reference.value!.forms, resource: { ...known, fields: [...known.fields, twice, { ...twice, name: "hushed", label: { zh: "hushed", en: "hushed" } }] } } };
  for (const path of ["/find", "/resources", `/edit/${id}`]) await go(path);
  await tap("保存");
  await at(/^\/resources$/);
  expect(engine.read(id)?.fields["twice"]).toBe(20);
  await go(`/edit/${id}`);
  await tap("保存");
  await at(/^\/resources$/);
  expect(engine.operations({ recordId: id }).map((one) => one.kind), "once").toStrictEqual(["patch", "create"]);
  await go(`/record/${id}`);
  await soon(() => expect(document.querySelector("dl.facts")?.textContent).toContain("两倍"));
  expect([engine.read(id)?.fields["hushed"], document.querySelector("dl.facts")!.textContent!.includes("hushed")], "without words of its own it is nobody's to read").toStrictEqual([20, false]);
  close();
});
