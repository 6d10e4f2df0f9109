// The plain changes that a command stands for, as this phone lays them over its copies until they contain them
// (docs/protocol.md, Commands). The twin of sync/commands.py; the server decides in the end.

import type { Step } from "./kept-types.ts";
import type { Fields, RecordView, Value } from "./types.ts";

const HEAD = "02";
const RESIDENCE = ["residence_household", "relation_to_head", "resident_from", "joined_reason", "presence", "absent_since"];

/** What a command looks at. */
export interface CommandLook {
  read: (id: string) => RecordView | null;
  membersOf: (household: string) => RecordView[];
}

interface Asked {
  id: string;
  arguments: Readonly<Record<string, Value>>;
  today: string;
}

type Sets = Map<string, { type: string; kind: "create" | "patch" | "end"; set: Fields }>;

const text = (value: Value | undefined): string | null => (typeof value === "string" ? value : null);

class Expansion {
  readonly steps: Sets = new Map();
  readonly on: string;

  constructor(
    readonly asked: Asked,
    readonly look: CommandLook,
  ) {
    this.on = text(asked.arguments["on"]) ?? asked.today;
  }

  given(name: string): Value | undefined {
    return this.asked.arguments[name];
  }

  patch(id: string, type: string, set: Fields): void {
    const step = this.steps.get(id) ?? { type, kind: "patch" as const, set: {} };
    Object.assign(step.set, set);
    this.steps.set(id, step);
  }

  members(household: string): string[] {
    const named = this.given("members");
    const here = this.look.membersOf(household).map((view) => view.id);
    return Array.isArray(named) ? (named as string[]) : here;
  }

  relation(person: string, head: string | null): Fields {
    const relations = (this.given("relations") ?? {}) as Record<string, Value>;
    return { relation_to_head: person === head ? HEAD : (relations[person] ?? null) };
  }

  relations(): void {
    for (const [person, code] of Object.entries((this.given("relations") ?? {}) as Record<string, Value>)) {
      this.patch(person, "person", { relation_to_head: code });
    }
  }

  giveHead(household: string, head: string | null): void {
    this.patch(household, "household", { head });
    if (head !== null) this.patch(head, "person", { relation_to_head: HEAD });
  }

  leave(household: string | null): void {
    const { id } = this.asked;
    this.patch(id, "person", household === null ? {} : Object.fromEntries(RESIDENCE.map((name) => [name, null])));
    if (household !== null && this.look.read(household)?.fields["head"] === id) this.giveHead(household, text(this.given("new_head")));
  }
}

const EXPAND: Record<string, (found: Expansion) => void> = {
  move_household(found) {
    const { id } = found.asked;
    if (found.given("community") !== undefined) return; // nothing changes until the other community has accepted
    found.patch(id, "household", { dwelling: found.given("dwelling") as Value, moved_in_on: found.on });
    for (const person of found.members(id)) {
      const joined = found.given("joined_reason") ?? "moved_in";
      found.patch(person, "person", { residence_household: id, resident_from: found.on, joined_reason: joined });
    }
  },
  move_person() {
    // as a household that moves to another community
  },
  split_household(found) {
    const { id } = found.asked;
    const old = found.look.read(id)?.fields ?? {};
    const made = found.given("new_household") as string;
    const head = text(found.given("head"));
    const fields: Fields = {
      dwelling: found.given("dwelling") ?? old["dwelling"] ?? null,
      kind: found.given("kind") ?? old["kind"] ?? null,
      head,
      moved_in_on: found.on,
    };
    found.steps.set(made, { type: "household", kind: "create", set: Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== null)) });
    const members = found.members(id);
    for (const person of members) {
      const joined = found.given("joined_reason") ?? "household_split";
      found.patch(person, "person", { residence_household: made, resident_from: found.on, joined_reason: joined, ...found.relation(person, head) });
    }
    if (found.given("new_head") !== undefined || members.includes(text(old["head"]) ?? "")) found.giveHead(id, text(found.given("new_head")));
    found.relations();
  },
  join_households(found) {
    const { id } = found.asked;
    const head = text(found.look.read(id)?.fields["head"]);
    const other = found.given("household") as string;
    for (const person of found.members(other)) {
      const joined = found.given("joined_reason") ?? "moved_in";
      found.patch(person, "person", { residence_household: id, resident_from: found.on, joined_reason: joined, ...found.relation(person, head) });
    }
    found.patch(id, "household", {});
    found.steps.set(other, { type: "household", kind: "end", set: {} });
    found.relations();
  },
  change_head(found) {
    const { id } = found.asked;
    const head = text(found.given("head"));
    const former = found.look.read(text(found.look.read(id)?.fields["head"]) ?? "");
    const wasHead = former?.fields["residence_household"] === id && former.fields["relation_to_head"] === HEAD;
    if (former && former.id !== head && wasHead) found.patch(former.id, "person", { relation_to_head: null });
    found.giveHead(id, head);
    found.relations();
  },
  person_left(found) {
    found.leave(text(found.given("household")));
  },
  person_died(found) {
    found.patch(found.asked.id, "person", { vital_status: "deceased", died_on: found.given("on") ?? null });
    found.leave(text(found.given("household")));
  },
  correct_place(found) {
    const values: Fields = {};
    for (const name of ["building", "entrance", "floor_number"]) {
      const value = found.given(name);
      if (value !== undefined) values[name] = value;
    }
    const entrance = found.look.read(text(values["entrance"]) ?? "");
    if (entrance && !("building" in values)) values["building"] = entrance.fields["building"] ?? null;
    else if (!("entrance" in values)) values["entrance"] = null; // the entrance of another building is wrong too
    found.patch(found.asked.id, "dwelling", values);
  },
};

/** The type of the principal record of each command that this phone can lay over its copies. */
export const COMMAND_TYPES: Readonly<Record<string, readonly string[]>> = {
  move_household: ["household"],
  move_person: ["person"],
  split_household: ["household"],
  join_households: ["household"],
  change_head: ["household"],
  person_left: ["person"],
  person_died: ["person"],
  correct_place: ["dwelling"],
  merge_persons: ["person"],
  merge_households: ["household"],
  undo: ["person", "household"],
};

/** What a command changes, one step per record; commands that only the server can expand change nothing here yet. */
export function expand(name: string, asked: Asked, look: CommandLook): Omit<Step, "was">[] {
  const found = new Expansion(asked, look);
  EXPAND[name]?.(found);
  if (name === "merge_persons" || name === "merge_households") {
    const type = name === "merge_persons" ? "person" : "household";
    found.patch(asked.id, type, (found.given("set") ?? {}) as Fields);
    found.steps.set(found.given("merged") as string, { type, kind: "end", set: {} });
  }
  return [...found.steps].map(([id, step]) => ({ id, ...step }));
}
