// What an expression tree means: the twin of forms/evaluator.py; both pass tests/vectors/expressions.
// null, an empty text and an empty list are one and the same nothing.

import type { Tree } from "../engine/reference-types.ts";
import type { Value } from "../engine/types.ts";
import { creditCodeOk, isDay, residentIdBirth, residentIdOk, residentIdSex } from "./identity.ts";

type Fields = Readonly<Record<string, Value>>;

interface Context {
  fields: Fields;
  value: Value;
  today: string | null;
}

const NUMBER = /^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$/;
const INSTANT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z$/;
const EDGES = /^[ \t\r\n]+|[ \t\r\n]+$/g;
const DAY_MS = 86_400_000;

/** Value of an expression. `today` is `YYYY-MM-DD`; an expression that uses `today()` throws without it. */
export function evaluate(tree: Tree, fields: Fields, today: string | null = null, value: Value = null): Value {
  return look(tree, { fields, value, today });
}

/** Nothing, false and zero are false; everything else is true. */
export const isTrue = (value: Value | undefined): boolean => !isNull(value) && value !== false && value !== 0;

/** Whether an expression holds; a missing one does. */
export function holds(tree: Tree | undefined, fields: Fields, today: string | null = null): boolean {
  return tree === undefined || isTrue(evaluate(tree, fields, today));
}

function own(fields: Fields, name: string): Value {
  return Object.prototype.hasOwnProperty.call(fields, name) ? (fields[name] as Value) : null;
}

export function isNull(value: Value | undefined): boolean {
  return value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}

function look(tree: Tree, context: Context): Value {
  if ("lit" in tree) return tree.lit;
  if ("field" in tree) return own(context.fields, tree.field);
  if ("self" in tree) return context.value;
  const args = tree.args;
  const at = (index: number): Value => look(args[index] as Tree, context);
  switch (tree.call) {
    case "and":
      return isTrue(at(0)) && isTrue(at(1));
    case "or":
      return isTrue(at(0)) || isTrue(at(1));
    case "if":
      return isTrue(at(0)) ? at(1) : at(2);
    case "coalesce":
      for (let index = 0; index < args.length; index++) {
        const found = at(index);
        if (!isNull(found)) return found;
      }
      return null;
  }
  const apply = FUNCTIONS[tree.call];
  if (apply === undefined) throw new Error(`no function ${tree.call}`);
  return apply(args.map((argument) => look(argument, context)), context);
}

function number(value: Value | undefined): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") {
    const text = value.replace(EDGES, "");
    value = NUMBER.test(text) ? Number(text) : null;
  }
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Not finite is nothing, and there is no negative zero. */
const plain = (found: number): number | null => (Number.isFinite(found) ? (found === 0 ? 0 : found) : null);

function text(value: Value | undefined): string {
  if (typeof value === "string") return value;
  if (isNull(value)) return "";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") {
    const size = Math.abs(value);
    if (!(value === 0 || (size >= 1e-6 && size < 1e15))) return ""; // beyond here languages write numbers differently
    return value === 0 ? "0" : String(value);
  }
  if (Array.isArray(value)) return value.map(text).join(" ");
  return "";
}

const isDate = (value: Value | undefined): value is string => typeof value === "string" && value.length === 10 && isDay(value);
const dayNumber = (day: string): number => {
  const moment = new Date(0);
  moment.setUTCFullYear(Number(day.slice(0, 4)), Number(day.slice(5, 7)) - 1, Number(day.slice(8)));
  return Math.round(moment.getTime() / DAY_MS);
};

function equal(left: Value, right: Value): boolean {
  if (typeof left === "string" && typeof right === "string") return left === right;
  if (isNull(left) || isNull(right)) return isNull(left) && isNull(right);
  if ([left, right].some((one) => typeof one === "boolean" || typeof one === "number")) {
    const first = number(left);
    return first !== null && first === number(right);
  }
  return text(left) === text(right);
}

const compared = (first: string | number, second: string | number): number => (first > second ? 1 : first < second ? -1 : 0);

/** -1, 0 or 1; null where the two cannot be ordered. */
function order(left: Value, right: Value): number | null {
  if (isNull(left) || isNull(right)) return null;
  if (isDate(left) && isDate(right)) return compared(left, right);
  const first = number(left);
  const second = number(right);
  if (first !== null && second !== null) return compared(first, second);
  if (typeof left !== "string" || typeof right !== "string") return null;
  if (![left, right].every((one) => isDate(one) || INSTANT.test(one))) return null;
  if (left.length === 10 || right.length === 10) {
    const firstDay = dayOf(left);
    const lastDay = dayOf(right);
    return firstDay === null || lastDay === null ? null : compared(firstDay, lastDay);
  }
  return compared(left.replace(/Z+$/, ""), right.replace(/Z+$/, ""));
}

function shifted(day: string, days: number | null, sign: number): string | null {
  if (days === null || !Number.isInteger(days)) return null;
  const moment = new Date((dayNumber(day) + sign * days) * DAY_MS);
  const year = moment.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) return null;
  return `${String(year).padStart(4, "0")}-${String(moment.getUTCMonth() + 1).padStart(2, "0")}-${String(moment.getUTCDate()).padStart(2, "0")}`;
}

const arithmetic =
  (operate: (a: number, b: number) => number) =>
  ([left, right]: readonly Value[]): Value => {
    const first = number(left);
    const second = number(right);
    return first === null || second === null ? null : plain(operate(first, second));
  };

const plus = arithmetic((a, b) => a + b);
const minus = arithmetic((a, b) => a - b);

function choices(value: Value | undefined): string[] {
  if (Array.isArray(value)) return value.map(text);
  return isNull(value) ? [] : text(value).replace(EDGES, "").split(/[ \t\r\n]+/);
}

const PATTERNS = new Map<string, RegExp>();

/** A whole match in the common dialect; forms/expressions.py refuses what engines read differently. */
function matches(value: string, pattern: string): boolean {
  let compiled = PATTERNS.get(pattern);
  if (compiled === undefined) {
    const source = `^(?:${translated(pattern)})$`;
    try {
      compiled = new RegExp(source, "u"); // a character is a code point, as in Python
    } catch {
      compiled = new RegExp(source); // a brace or the like that stands for itself
    }
    PATTERNS.set(pattern, compiled);
  }
  return compiled.test(value);
}

/** The pattern as ECMAScript reads it: only the dot, `\\-` and a bracket at the start of a class differ. */
function translated(pattern: string): string {
  let out = "";
  let inClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const one = pattern[at] as string;
    if (one === "\\") {
      const next = pattern[++at] ?? "";
      out += next === "-" && !inClass ? "-" : one + next;
    } else if (inClass) {
      inClass = one !== "]";
      out += one;
    } else if (one === "[") {
      inClass = true;
      const start = /^\[\^?\]?/.exec(pattern.slice(at))?.[0] ?? one;
      at += start.length - 1;
      out += start.replace("]", "\\]");
    } else {
      out += one === "." ? "[^\\n]" : one;
    }
  }
  return out;
}

function yearsBetween(start: Value | undefined, end: Value | undefined): number | null {
  if (!isDate(start) || !isDate(end) || end < start) return null;
  const years = Number(end.slice(0, 4)) - Number(start.slice(0, 4));
  return years - (end.slice(5) < start.slice(5) ? 1 : 0);
}

/** The day of a day, or of an instant: the one that it is in China then, as `today()` is; null for anything else. */
export function dayOf(value: Value | undefined): string | null {
  if (typeof value !== "string" || !(value.length === 10 || INSTANT.test(value))) return null;
  const day = value.slice(0, 10);
  if (!isDay(day) || value.length === 10) return isDay(day) ? day : null;
  const hour = Number(value.slice(11, 13));
  return hour > 23 ? null : shifted(day, hour >= 16 ? 1 : 0, 1); // UTC+8: from 16:00 on it is the next day there
}

const ordered =
  (...accepted: number[]) =>
  ([left, right]: readonly Value[]): boolean => {
    const found = order(left as Value, right as Value);
    return found !== null && accepted.includes(found);
  };

const FUNCTIONS: Record<string, (args: readonly Value[], context: Context) => Value> = {
  "=": ([left, right]) => equal(left as Value, right as Value),
  "!=": ([left, right]) => !equal(left as Value, right as Value),
  "<": ordered(-1),
  "<=": ordered(-1, 0),
  ">": ordered(1),
  ">=": ordered(0, 1),
  "+": (args) => {
    const [left, right] = args;
    if (isDate(left)) return shifted(left, number(right), 1);
    return isDate(right) ? shifted(right, number(left), 1) : plus(args);
  },
  "-": (args) => {
    const [left, right] = args;
    if (!isDate(left)) return minus(args);
    return isDate(right) ? dayNumber(left) - dayNumber(right) : shifted(left, number(right), -1);
  },
  "*": arithmetic((a, b) => a * b),
  div: arithmetic((a, b) => (b === 0 ? NaN : a / b)),
  mod: arithmetic((a, b) => a % b),
  neg: ([value]) => minus([0, value as Value]),
  not: ([value]) => !isTrue(value),
  true: () => true,
  false: () => false,
  number: ([value]) => {
    const found = number(value);
    return found === null ? null : plain(found);
  },
  selected: ([value, code]) => !isNull(code) && choices(value).includes(text(code)),
  "count-selected": ([value]) => choices(value).length,
  regex: ([value, pattern]) => matches(text(value), pattern as string),
  "string-length": ([value]) => [...text(value)].length,
  "starts-with": ([value, start]) => text(value).startsWith(text(start)),
  contains: ([value, part]) => text(value).includes(text(part)),
  today: (_, { today }) => {
    if (today === null) throw new Error("the expression uses today() and no day was given");
    return today;
  },
  date: ([value]) => dayOf(value),
  "years-between": ([start, end]) => yearsBetween(start, end),
  "resident-id-ok": ([value]) => residentIdOk(text(value)),
  "resident-id-birth": ([value]) => residentIdBirth(text(value)),
  "resident-id-sex": ([value]) => residentIdSex(text(value)),
  "credit-code-ok": ([value]) => creditCodeOk(text(value)),
};
