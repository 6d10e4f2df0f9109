import { expect, test } from "vitest";
import { nextTick } from "vue";
import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import { attach, state } from "../session.ts";
import { figures } from "./glance.ts";
import { day } from "./use.ts";

test("once the app is locked nothing that was worked out from records stays in memory, also where no screen looks", async () => {
  const engine = await enrolled(device(scripted()));
  attach(engine);
  await engine.write([{ kind: "create", type: "household", set: { kind: "family" } }]);
  expect([state.value, day.value.doors.length]).toStrictEqual(["ready", 1]);
  const kept = day.value;
  engine.lock();
  await nextTick();
  engine.on = () => () => undefined;
  engine.list = () => {
    throw new Error("nothing may be read anew here");
  };
  expect([state.value, day.value === kept, day.value.doors, figures.value]).toStrictEqual(["locked", false, [], { cells: [], dueCount: 0, doors: [] }]);
});
