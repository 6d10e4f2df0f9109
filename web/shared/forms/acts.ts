// What happens to households and to the people in them: commands of docs/protocol.md with their arguments, for every screen that writes them.
// Pure: who is there and what was chosen comes in, the operations of one group come out.
import type { Draft, Fields, Value } from "../engine/types.ts";

/** The code of the head in `relation_to_head`. */
export const HEAD = "02";

/** An operation that a screen writes; `shown` of a command: other records that were on the screen and that it may change. */
export type Act = Extract<Draft, { kind: "create" | "patch" | "command" }>;
/** Person id → code of the relation to the head. */
export type Relations = Readonly<Record<string, string>>;

/** Without those that were not chosen. */
const chosen = (given: Record<string, Value | undefined>): Record<string, Value> =>
  Object.fromEntries(Object.entries(given).filter((one): one is [string, Value] => one[1] !== undefined && one[1] !== null && one[1] !== ""));

const command = (name: string, id: string, given: Record<string, Value | undefined>, shown: readonly string[] = []): Act => ({
  kind: "command", name, id, arguments: chosen(given), ...(shown.length ? { shown } : {}),
});

/** Somebody does not live in a household any more; `newHead` follows where they were its head. */
export const left = (person: string, of: { household: string; reason: string; on: string; newHead?: string | undefined }): Act =>
  command("person_left", person, { household: of.household, reason: of.reason, on: of.on, new_head: of.newHead });

/** Somebody died; `household` is where they lived. */
export const died = (person: string, of: { household?: string | undefined; on: string; newHead?: string | undefined }): Act =>
  command("person_died", person, { household: of.household, on: of.on, new_head: of.newHead });

/** A household has another head; `former` was on the screen as its head. */
export const headed = (household: string, head: string, of: { former?: string | undefined; relations?: Relations } = {}): Act => {
  const relations = Object.fromEntries(Object.entries(of.relations ?? {}).filter(([one, code]) => one !== head && code !== ""));
  return command("change_head", household, { head, ...(Object.keys(relations).length ? { relations } : {}) }, of.former ? [of.former] : []);
};

/** A household lives behind another door of the community from a day on, with those who go along. */
export const moved = (household: string, of: { dwelling: string; on: string; members: readonly string[]; reason?: string | undefined }): Act =>
  command("move_household", household, { dwelling: of.dwelling, on: of.on, members: of.members, left_reason: of.reason }, of.members);

/** Another community is asked to take a person or a household (S30). */
export const movesAway = (type: "person" | "household", id: string, of: { community: string; on: string; reason: string }): Act =>
  command(type === "person" ? "move_person" : "move_household", id, { community: of.community, on: of.on, left_reason: of.reason });

/** Some of a household are one of their own, `made`, from a day on: in the same dwelling where none is named. A head who is not among
 *  those who go, or goes and should stay, is nobody's head. */
export const split = (
  household: string,
  of: { made: string; members: readonly string[]; on: string; kind: string; dwelling?: string; head?: string | undefined; former?: string | undefined; newHead?: string | undefined; relations?: Relations },
): Act => {
  const goes = (one: string | undefined): boolean => one !== undefined && of.members.includes(one);
  const relations = Object.fromEntries(Object.entries(of.relations ?? {}).filter(([one, code]) => goes(one) && one !== of.head && code !== ""));
  return command("split_household", household, {
    new_household: of.made, members: of.members, kind: of.kind, on: of.on, dwelling: of.dwelling, head: goes(of.head) ? of.head : undefined,
    new_head: goes(of.former) && !goes(of.newHead) ? of.newHead : undefined, ...(Object.keys(relations).length ? { relations } : {}),
  }, of.members);
};

/** Two households are one: the other's members live here, and the other ends. `relations`: what those who come are to the head. */
export const joined = (stays: string, of: { household: string; members: readonly string[]; on: string; reason?: string; relations?: Relations }): Act => {
  const relations = Object.fromEntries(Object.entries(of.relations ?? {}).filter(([one, code]) => of.members.includes(one) && code !== ""));
  const given = { household: of.household, members: of.members, on: of.on, left_reason: of.reason, ...(Object.keys(relations).length ? { relations } : {}) };
  return command("join_households", stays, given, [of.household, ...of.members]);
};

/** Where somebody lives from a day on; of a command that ended where they lived before, `left` comes first in the group. */
export const cameIn = (person: string, of: { household: string; on: string; reason?: string; relation?: string | undefined }): Act => ({
  kind: "patch", id: person,
  set: { residence_household: of.household, resident_from: of.on, joined_reason: of.reason || "moved_in", relation_to_head: of.relation || null, presence: "present" },
});

/** Who is on record lives here from a day on, and no more where they lived before (`from`), whose head they may have been. */
export const brought = (
  person: string,
  of: { household: string; on: string; from?: { household: string; reason: string; newHead?: string | undefined } | undefined; reason?: string; relation?: string | undefined },
): Act[] => [...(of.from ? [left(person, { ...of.from, on: of.on })] : []), cameIn(person, of)];

/** A household that is new behind a door. It goes into one group with whoever lives there first: nobody leaves an empty one behind. */
export const founded = (household: string, of: { dwelling: string; kind: string }): Act => ({ kind: "create", type: "household", id: household, set: { ...of } });

/** Whoever lives there first is the head; said after they live there. */
export const firstHead = (household: string, person: string): Act => ({ kind: "patch", id: household, set: { head: person } });

/** Somebody who was on no record yet; a household's first one is its head. */
export const entered = (person: string, set: Fields, of: { household: string; isHead: boolean }): Act[] => [
  { kind: "create", type: "person", id: person, set: { ...set, residence_household: of.household, vital_status: "living", ...(of.isHead ? { relation_to_head: HEAD } : {}) } },
  ...(of.isHead ? [firstHead(of.household, person)] : []),
];
