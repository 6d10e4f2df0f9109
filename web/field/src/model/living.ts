// What follows from everybody behind a door, as far as this phone has them: how somebody lives, and whether they are registered there.
import { arrangement, personStates, type Resident } from "@shared/forms/visits.ts";
import type { RecordView } from "@shared/engine/index.ts";

/** What is asked of the records on the phone. */
interface Held {
  read(id: string): RecordView | null;
  households(dwelling: string): RecordView[];
  members(household: string): RecordView[];
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** The words of these codes are `record.lives.<code>`: the state of somebody at the door, and 独居 or 空巢 where the old people there live so. */
export function livingOf(held: Held, person: RecordView, today: string): string[] {
  const doorOf = (household: unknown): string | null => text(held.read(String(household ?? ""))?.fields["dwelling"]);
  const lives = person.fields["presence"] === "away_long" ? null : doorOf(person.fields["residence_household"]);
  // They live in a household of somebody else's cells: whether that is this door is not known here.
  if (lives === null && person.fields["residence_household"] !== undefined && person.fields["presence"] !== "away_long") return [];
  const registered = text(person.fields["registration_dwelling"]);
  const dwelling = lives ?? registered;
  if (dwelling === null || held.read(dwelling) === null) return []; // a door of somebody else's cells: nothing is known of it here
  const people = new Map([[person.id, person]]);
  for (const household of held.households(dwelling)) for (const one of held.members(household.id)) people.set(one.id, one);
  const residents = [...people.values()].map((one): Resident => {
    const home = held.read(String(one.fields["residence_household"] ?? ""));
    return {
      person_id: one.id, residence_dwelling: text(home?.fields["dwelling"]), registration_dwelling: text(one.fields["registration_dwelling"]),
      registered_outside: one.fields["registration_address_text"] !== undefined || one.fields["registration_division_code"] !== undefined,
      presence: text(one.fields["presence"]), birth_date: text(one.fields["birth_date"]),
      deceased: one.fields["vital_status"] === "deceased", collective: home?.fields["kind"] === "collective",
    };
  });
  const state = personStates(dwelling, residents)[person.id];
  const how = lives === null ? "" : arrangement(dwelling, residents, today);
  return [...(state === undefined || state === "lives_unknown" ? [] : [state]), ...(how === "living_alone" || how === "empty_nest" ? [how] : [])];
}
