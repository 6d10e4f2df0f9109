// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { drawn, slowBack } from "../kit-screens.ts";

const [home, door, person] = ["01941f29-8aae-77f9-9a74-464f0c127001", "01941f29-8aae-77f9-9a74-464f0c127002", "01941f29-8aae-77f9-9a74-464f0c127003"] as const;

/** A glove goes on tapping as long as the button stands. */
async function hammer(buttons: (words: string) => HTMLElement[], words: string, until: () => boolean): Promise<void> {
  const tapped = (): void => {
    buttons(words)[0]?.click();
    expect(until()).toBe(true);
  };
  await vi.waitFor(tapped, { interval: 5, timeout: 30_000 });
}

test("what is confirmed is written once, however often it is tapped before the screen has gone", async () => {
  const { engine, go, at, buttons, close } = await drawn(({ engine }) =>
    engine.write([
      { kind: "create", type: "dwelling", id: door, set: { door_number: "301" } },
      { kind: "create", type: "household", id: home, set: { kind: "family", dwelling: door } },
      { kind: "create", type: "person", id: person, set: { name: "试验甲", residence_household: home } },
    ]),
  );
  await go(`/household/${home}`);
  await go(`/person/${person}`);
  await go(`/person/${person}/leave/died`);
  const before = engine.unsentCount();
  slowBack();
  await hammer(buttons, "确定", () => !location.hash.includes("leave"));
  await at(new RegExp(`^/person/${person}$`));
  expect(engine.unsentCount() - before).toBe(1);
  close();
});

test("a door where still nobody lives is seen once, however often that is tapped", async () => {
  const { engine, go, says, buttons, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "dwelling", id: door, set: { door_number: "301" } }]));
  await go(`/dwelling/${door}`);
  let taps = 0;
  await hammer(buttons, "还是没有住户", () => engine.unsentCount() > 1 && (taps += 1) > 3);
  await says("已核实");
  expect(engine.operations({ recordId: door }).map((one) => one.kind)).toStrictEqual(["confirm", "create"]);
  close();
});
