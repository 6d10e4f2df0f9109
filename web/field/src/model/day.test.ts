import { afterEach, expect, test, vi } from "vitest";
import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import type { Fields } from "@shared/engine/index.ts";
import { attach } from "../session.ts";
import { lookAt, lookOver } from "./day.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test("a door looked at alone stands as it does among all doors, neighbours and care behind it counted", async () => {
  const engine = await enrolled(device(scripted()));
  attach(engine);
  const put = async (type: string, set: Fields): Promise<string> => {
    const id = engine.newId();
    await engine.write([{ kind: "create", type, id, set }]);
    return id;
  };
  const now = Date.now();
  const building = await put("building", { name: "1 幢" });
  const dwelling = await put("dwelling", { building, door_number: "301", occupancy: "let" });
  const homes = [await put("household", { dwelling, kind: "family" }), await put("household", { dwelling, kind: "family" }), await put("household", { kind: "family" })];
  for (const [at, born] of ["1930-01-01", "1980-01-01", "2020-01-01"].entries()) {
    const person = await put("person", { name: `某${at}`, birth_date: born, residence_household: homes[at] as string, presence: "present" });
    await put("care_status", { person, kind: "aged", level: "weekly" });
    await put("visit", { household: homes[at] as string, outcome: at ? "met" : "no_answer", visited_at: new Date(now - at * 86_400_000 * 70).toISOString() });
  }
  const [told, alone] = [engine.reference(), { name: "alone", label: { zh: "", en: "" }, every_days: 7, when: { arrangements: ["living_alone"] } }];
  const visits = { groups: [alone, { name: "everybody", label: { zh: "", en: "" }, every_days: 90, when: {} }], outcomes: { seen: ["met"], failed: ["no_answer"], office: [] }, retry_days: 1, escalate_after: 3, bands: [] };
  engine.reference = () => ({ ...told, rules: { visits } }) as never;
  const all = lookOver(now);
  for (const id of homes) expect(lookAt(id, now)).toStrictEqual(all.byHousehold.get(id));
  expect([lookAt(engine.newId(), now), ...homes.map((id) => lookAt(id, now)?.days)]).toStrictEqual([null, 0, 0, 0]);
});

test.each(["Asia/Shanghai", "America/Los_Angeles"])("nobody home at eight in the evening was an evening of that day, also where the phone is set to the zone %s: in the morning somebody tries", async (zone) => {
  vi.stubEnv("TZ", zone);
  vi.useFakeTimers({ now: Date.parse("2026-03-01T12:00:00+08:00"), toFake: ["Date"] });
  const engine = await enrolled(device(scripted()));
  attach(engine);
  const household = engine.newId();
  await engine.write([
    { kind: "create", type: "household", id: household, set: { kind: "family" } },
    { kind: "create", type: "visit", set: { household, outcome: "no_answer", visited_at: "2026-03-02T20:00:00+08:00" } },
  ]);
  const told = engine.reference();
  const bands = [["evening", 18, 22], ["morning", 8, 12]].map(([name, from_hour, to_hour]) => ({ name, label: { zh: "", en: "" }, from_hour, to_hour }));
  const visits = { groups: [{ name: "everybody", label: { zh: "", en: "" }, every_days: 90, when: {} }], outcomes: { seen: ["met"], failed: ["no_answer"], office: [] }, retry_days: 1, escalate_after: 3, bands };
  engine.reference = () => ({ ...told, rules: { visits } }) as never;
  expect(lookAt(household, Date.parse("2026-03-03T00:30:00+08:00"))?.stands).toMatchObject({ attempts: 1, band: "morning" });
});
