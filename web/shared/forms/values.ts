// What a value of each field type must be, and its one normal form: the twin of forms/values.py.
// Both pass tests/vectors/forms/validation.json. Normalising twice changes nothing.

import { byteOrder } from "../engine/digest.ts";
import type { FieldDefinition, Policy } from "../engine/reference-types.ts";
import type { Value } from "../engine/types.ts";
import { evaluate, isTrue } from "./evaluate.ts";
import type { Form } from "./form.ts";
import { isDay } from "./identity.ts";
import { MESSAGES } from "./messages.ts";

/** One thing wrong with a value; `tail` is the JSON pointer below the field. Never holds the value. */
export interface Wrong {
  code: string;
  tail: string;
  zh: string;
  en: string;
}

/** A value that its field cannot take. */
export class Refusal extends Error {
  constructor(readonly wrongs: Wrong[]) {
    super(wrongs.map((wrong) => wrong.code).join(", "));
  }
}

type Check = (value: Value) => Value;

const DATUMS = ["wgs84", "cgcs2000", "gcj02", "bd09"];
const METHODS = ["survey", "map_pick", "gps", "address", "import"];
const DEFAULT_MAX_LENGTH = 1000;
const MAX_ITEMS = 100;
const MAX_WHOLE = Number.MAX_SAFE_INTEGER;
const MAX_DECIMAL = 1e15;
// What surrounds text and means nothing, written out so that every language strips the same.
const EDGE = "\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200b\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff";
const EDGES = new RegExp(`^[${EDGE}]+|[${EDGE}]+$`, "g");
const SPACES = new RegExp(`[${EDGE}]`, "g");
const DASHES = /[\u2010-\u2015\u2212]/g;
const BROKEN = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/;
const SHA256 = /^[0-9a-f]{64}$/;
const REF = /^[0-9A-Za-z~][0-9A-Za-z~._:-]{0,63}$/;
const INSTANT = /^([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/;

export function wrong(code: string, tail = "", limit?: number): Wrong {
  const [zh, en] = MESSAGES[code] ?? [code, code];
  const shown = String(limit ?? "");
  return { code, tail, zh: zh.replace("{limit}", shown), en: en.replace("{limit}", shown) };
}

const refuse = (code: string, tail = "", limit?: number): never => {
  throw new Refusal([wrong(code, tail, limit)]);
};

/** What is wrong with a value below a pointer; empty where it is right. */
function wrongs(tail: string, check: () => unknown): Wrong[] {
  try {
    check();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    return refusal.wrongs.map((one) => ({ ...one, tail: tail + one.tail }));
  }
  return [];
}

/** NFC, edges stripped, `\n` for line ends; null for nothing but edges. */
export function cleanText(value: Value, format?: "phone" | "identifier" | "photo", maxLength = DEFAULT_MAX_LENGTH): string | null {
  if (typeof value !== "string") return refuse("not_text");
  if (BROKEN.test(value)) return refuse("not_unicode");
  let text = value;
  if (format === "phone" || format === "identifier") {
    text = text.replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)).replace(SPACES, "");
    text = format === "phone" ? text.replace(DASHES, "-") : text.replace(/[a-z]/g, (letter) => letter.toUpperCase());
  }
  text = text.replace(/\r\n?/g, "\n").normalize("NFC").replace(EDGES, "");
  if (CONTROL.test(text)) return refuse("control_character");
  if (text.length > maxLength && [...text].length > maxLength) return refuse("too_long", "", maxLength);
  if (format === "photo" && text !== "" && !SHA256.test(text)) return refuse("not_a_hash");
  return text === "" ? null : text;
}

function cleanDate(value: Value): string {
  return typeof value === "string" && value >= "1800" && value < "2201" && isDay(value) ? value : refuse("not_date");
}

/** An instant with offset, as UTC `…Z`, with milliseconds only where they are not zero. */
function cleanInstant(value: Value): string {
  const found = typeof value === "string" && value >= "1800" && value < "2201" ? INSTANT.exec(value) : null;
  if (!found) return refuse("not_datetime");
  const [, day, hour, minute, second = "00", fraction = "", sign, offsetHour = "00", offsetMinute = "00"] = found;
  if (!isDay(day as string) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(offsetHour) > 23 || Number(offsetMinute) > 59) {
    return refuse("not_datetime");
  }
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === "-" ? -1 : 1);
  const moment = Date.parse(`${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}Z`) - offset * 60_000;
  return new Date(moment).toISOString().replace(".000Z", "Z");
}

function cleanNumber(value: Value, whole: boolean, least: number, most: number): number {
  if (typeof value !== "number" || (whole && !Number.isInteger(value))) return refuse(whole ? "not_integer" : "not_number");
  if (!Number.isFinite(value)) return refuse("not_finite");
  if (value < least) return refuse("too_small", "", least);
  if (value > most) return refuse("too_large", "", most);
  return value === 0 ? 0 : value;
}

function cleanLocation(value: Value): Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("not_an_object");
  const given = value as Record<string, Value>;
  const found: Wrong[] = [];
  for (const [key, limit] of [["lon", 180], ["lat", 90]] as const) {
    const degree = given[key] ?? null;
    if (degree === null) found.push(wrong("location_incomplete", `/${key}`));
    else if (typeof degree !== "number") found.push(wrong("not_number", `/${key}`));
    else if (!Number.isFinite(degree)) found.push(wrong("not_finite", `/${key}`));
    else if (Math.abs(degree) > limit) found.push(wrong("out_of_range", `/${key}`));
  }
  const datum = given["datum"] ?? "";
  if (datum === "") found.push(wrong("datum_missing", "/datum"));
  else if (!DATUMS.includes(datum as string)) found.push(wrong("datum_unknown", "/datum"));
  for (const [key, most] of [["accuracy_m", 1e6], ["confidence", 1]] as const) {
    const number = given[key] ?? null;
    if (number !== null) found.push(...wrongs(`/${key}`, () => cleanNumber(number, false, 0, most)));
  }
  const method = given["method"] ?? null;
  if (method !== null && !METHODS.includes(method as string)) found.push(wrong("method_unknown", "/method"));
  const at = given["at"] ?? null;
  if (at !== null) found.push(...wrongs("/at", () => cleanInstant(at)));
  if (found.length) throw new Refusal(found);
  return value;
}

function limits(field: FieldDefinition): [number, number] {
  const far = field.type === "integer" ? MAX_WHOLE : MAX_DECIMAL;
  return [field.min ?? -far, field.max ?? far];
}

function baseCheck(form: Form, field: FieldDefinition): Check {
  switch (field.type) {
    case "text":
    case "text_set":
      return (value) => cleanText(value, field.format, field.max_length || DEFAULT_MAX_LENGTH);
    case "select_one":
    case "select_multiple": {
      const codes = form.codes.get(field.codelist ?? "");
      return (value) => (typeof value === "string" && codes?.has(value) ? value : refuse("unknown_code"));
    }
    case "integer":
    case "decimal": {
      const [least, most] = limits(field);
      return (value) => cleanNumber(value, field.type === "integer", least, most);
    }
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : refuse("not_boolean"));
    case "date":
      return cleanDate;
    case "datetime":
      return cleanInstant;
    case "ref":
      return (value) => (typeof value === "string" && REF.test(value) ? value : refuse("not_ref"));
    case "location":
      return cleanLocation;
  }
}

function setCheck(element: Check, takesChanges: boolean): Check {
  const list = (value: Value, tail: string): string[] => {
    if (!Array.isArray(value)) return refuse("not_a_list", tail);
    if (value.length > MAX_ITEMS) return refuse("too_many", tail, MAX_ITEMS);
    const kept = new Set<string>();
    const found = value.flatMap((item: Value, position) =>
      wrongs(`${tail}/${position}`, () => {
        const normal = element(item);
        if (normal !== null) kept.add(normal as string);
      }),
    );
    if (found.length) throw new Refusal(found);
    return [...kept].sort(byteOrder);
  };
  return (value) => {
    if (!(takesChanges && typeof value === "object" && value !== null && !Array.isArray(value))) return list(value, "");
    const given = value as Record<string, Value>;
    const keys = Object.keys(given);
    if (keys.length === 0 || keys.some((key) => key !== "add" && key !== "remove")) return refuse("not_a_list");
    const changes: Record<string, string[]> = {};
    const found = ["add", "remove"].flatMap((key) =>
      wrongs("", () => {
        changes[key] = list(given[key] === undefined ? [] : (given[key] as Value), `/${key}`);
      }),
    );
    if (found.length) throw new Refusal(found);
    return changes;
  };
}

function movementCheck(base: Check, whole: boolean): Check {
  const far = whole ? MAX_WHOLE : MAX_DECIMAL;
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return base(value);
    const given = value as Record<string, Value>;
    if (Object.keys(given).join() !== "delta") return refuse("not_delta");
    let delta = 0;
    const found = wrongs("/delta", () => {
      delta = cleanNumber(given["delta"] as Value, whole, -far, far);
    });
    if (found.length) throw new Refusal(found);
    return { delta };
  };
}

/** The function that judges and normalises a value of a field that is not null; null from it: only emptiness was left. */
export function checkFor(form: Form, field: FieldDefinition, policy: Policy): Check {
  const base = baseCheck(form, field);
  let check = base;
  if (field.type === "text_set" || field.type === "select_multiple") check = setCheck(base, policy === "union");
  else if (policy === "add") check = movementCheck(base, field.type === "integer");
  const rule = field.constraint;
  if (!rule) return check;
  return (value) => {
    const normal = check(value);
    if (normal !== null && !isTrue(evaluate(rule.tree, {}, null, normal))) {
      throw new Refusal([{ code: "constraint", tail: "", zh: rule.message.zh, en: rule.message.en }]);
    }
    return normal;
  };
}
