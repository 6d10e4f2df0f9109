// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { turns, useLatest } from "./latest.ts";

/** An answer that comes when it is let. */
function held<Value>() {
  let give!: (value: Value) => void;
  let fail!: (error: Error) => void;
  const answer = new Promise<Value>((go, stop) => ([give, fail] = [go, stop]));
  return { answer, give, fail };
}

describe("what is shown belongs to what was asked last", () => {
  test("a slow answer to an older question never replaces a newer one", async () => {
    const { value, ask } = useLatest<string>();
    const [past, now] = [held<string>(), held<string>()];
    const first = ask("2026-01-01", async (tell) => tell(await past.answer));
    const second = ask("now", async (tell) => tell(await now.answer));
    now.give("of now");
    await second;
    past.give("of January");
    await first;
    expect(value.value).toBe("of now");
  });

  test("another question takes the old answer away at once, and its failure is told in its place", async () => {
    const { value, problem, busy, ask } = useLatest<string>();
    await ask("now", async (tell) => tell("of now"));
    const past = held<string>();
    const asked = ask("2026-01-01", async (tell) => tell(await past.answer));
    expect([value.value, busy.value]).toEqual([null, true]);
    past.fail(new Error("no"));
    await asked;
    expect([value.value, busy.value]).toEqual([null, false]);
    expect(problem.value).not.toBe("");
  });

  test("the same question asked again keeps its answer, also when it fails; the problem goes with the next good one", async () => {
    const { value, problem, ask } = useLatest<string>();
    await ask("now", async (tell) => tell("of now"));
    await ask("now", () => Promise.reject(new Error("no")));
    expect(value.value).toBe("of now");
    expect(problem.value).not.toBe("");
    await ask("now", async (tell) => tell("of now, later"));
    expect([value.value, problem.value]).toEqual(["of now, later", ""]);
  });

  test("the failure of an older question is nobody's any more", async () => {
    const { problem, ask } = useLatest<string>();
    const past = held<string>();
    const first = ask("2026-01-01", async (tell) => tell(await past.answer));
    await ask("now", async (tell) => tell("of now"));
    past.fail(new Error("no"));
    await first;
    expect(problem.value).toBe("");
  });

  test("an answer told in two parts stops where something else was asked meanwhile", async () => {
    const { ask } = useLatest<string>();
    const rest = held<string>();
    let went: boolean | null = null;
    const first = ask("a", async (tell) => (tell("figures"), (went = tell(await rest.answer))));
    await ask("b", async (tell) => tell("b"));
    rest.give("figures and map");
    await first;
    expect(went).toBe(false);
  });

  test("a turn lasts until the next begins", () => {
    const begin = turns();
    const first = begin();
    expect(first()).toBe(true);
    const second = begin();
    expect([first(), second()]).toEqual([false, true]);
  });
});
