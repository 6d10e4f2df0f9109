import { device, enrolled, scripted } from "@shared/engine/kit.ts";
import { expect, test } from "vitest";
import { attach, engine, reference } from "../session.ts";
import type { Door } from "./day.ts";
import { reasonWords } from "./reasons.ts";
import { measureWords, valueWords } from "./words.ts";

test("a number says what it is counted in, a rule of one day says every day", async () => {
  attach(await enrolled(device(scripted())));
  const known = reference.value!;
  const field = (name: string, measure?: string) => ({ name, type: "decimal", label: { zh: name, en: name }, privacy: "internal", ...(measure ? { measure } : {}) });
  reference.value = { ...known, forms: { ...known.forms, dwelling: { ...known.forms["dwelling"], fields: [field("area_m2", "m2"), field("rooms_count")] } } } as unknown as typeof known;
  expect([valueWords("dwelling", "area_m2", 122.3), valueWords("dwelling", "rooms_count", 4), measureWords("%")]).toStrictEqual(["122.3 平方米", "4", "%"]);

  const groups = [{ name: "care", label: { zh: "每日联系对象", en: "Daily contact" }, when: { care: ["daily"] }, every_days: 1 }];
  engine().reference = () => ({ ...known, rules: { visits: { groups, bands: [] } } }) as unknown as typeof known;
  const says = (every_days: number): string => reasonWords({ stands: { group: "care", every_days, last_on: null, attempts: 0, band: null } } as unknown as Door);
  expect([says(1), says(7)]).toStrictEqual(["每日联系对象，每天", "每日联系对象，每7天"]);
});
