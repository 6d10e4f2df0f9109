// Whether somebody who is being entered is on the phone already, by what the phone holds.
import { expect, test } from "vitest";
import { judging } from "./duplicates.ts";
import type { Fields, RecordView } from "./types.ts";

const known = (fields: Fields): RecordView => ({ id: "p", type: "person", fields }) as unknown as RecordView;
const DOORS: Record<string, string> = { upper: "door", lower: "door", other: "elsewhere" };
const doorOf = (household: string): string => DOORS[household] ?? household;

test("two households behind one door are one home; another door is not", () => {
  const judge = judging({ name: "王伟", residence_household: "upper" }, doorOf);
  expect(judge(known({ name: "王伟", residence_household: "lower" }))?.because.en).toBe("the same name behind the same door");
  expect(judge(known({ name: "王伟", residence_household: "other" }))?.because.en).toBe("the same name");
  expect(judging({ name: "王伟" }, doorOf)(known({ name: "王伟" }))?.because.en).toBe("the same name");
});

test("a whole number that this phone holds is compared as it is meant; of others the day of birth in it and its end count", () => {
  const judge = judging({ document_number: "１１０１０１ 19900307 7758" });
  expect(judge(known({ document_number: "110101199003077758" }))?.certain).toBe(true);
  expect(judge(known({ document_number: "11010119900307774X" }))).toBeNull();
  expect(judge(known({ birth_date: "1990-03-07", document_number: { mask: "**************7758" } }))?.because.en).toBe("the same birth date and end of the document number");
  expect(judge(known({ birth_date: "1990-03-08", document_number: { mask: "**************7758" } }))).toBeNull();
});
