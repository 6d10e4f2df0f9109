// Whether somebody lives where they are registered is told at the door only where the phone knows where they live.
import { expect, test } from "vitest";
import type { RecordView } from "@shared/engine/index.ts";
import { livingOf } from "./living.ts";

const record = (id: string, type: string, fields: RecordView["fields"]): RecordView =>
  ({ id, type, life: "live", fields, version: null, home: null, conflicts: [], confirmed: {}, pending: [], created: null }) as unknown as RecordView;

function phone(...records: RecordView[]) {
  const of = (type: string, field: string, value: string) => records.filter((one) => one.type === type && one.fields[field] === value);
  return {
    read: (id: string) => records.find((one) => one.id === id) ?? null,
    households: (dwelling: string) => of("household", "dwelling", dwelling),
    members: (household: string) => of("person", "residence_household", household),
  };
}

const DOOR = record("door", "dwelling", {});
const HOME = record("home", "household", { dwelling: "door" });
const registered = { registration_dwelling: "door" };

test.each([
  ["lives here and is registered here", { ...registered, residence_household: "home" }, ["lives_registered"]],
  ["is registered here and lives nowhere that anybody wrote down", registered, ["registered_hanging"]],
  ["is registered here and lives in cells of somebody else", { ...registered, residence_household: "elsewhere" }, []],
  ["is registered here and away for long, wherever they went", { ...registered, residence_household: "elsewhere", presence: "away_long" }, ["registered_hanging"]],
])("somebody who %s", (_, fields, told) => {
  const person = record("one", "person", { name: "赵甲", birth_date: "1990-01-01", ...fields });
  expect(livingOf(phone(DOOR, HOME, person), person, "2026-11-01").filter((word) => word !== "living_alone")).toStrictEqual(told);
});
