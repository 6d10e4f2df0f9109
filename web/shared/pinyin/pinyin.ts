// Finding names by how they sound: full pinyin, initials, or a mix with characters. The table is loaded when it is first
// needed; until then names are found by their characters.

let table: Map<string, string[]> | null = null;
let loading: Promise<void> | null = null;

/** Loads the readings; safe to call often. */
export function loadPinyin(): Promise<void> {
  loading ??= import("./table.json").then(({ default: rows }) => {
    const found = new Map<string, string[]>();
    for (const [reading, characters] of Object.entries(rows as Record<string, string>)) {
      for (const one of characters) {
        const readings = found.get(one);
        // ü is typed as v, and as u by many
        const more = reading.includes("v") ? [reading, reading.replace("v", "u")] : [reading];
        if (readings) readings.push(...more);
        else found.set(one, more);
      }
    }
    table = found;
  });
  return loading;
}

/** Readings of a character without tones; empty for what has none, or before the table is there. */
export const readings = (character: string): readonly string[] => table?.get(character) ?? [];

function matchesFrom(query: string, at: number, name: readonly string[], from: number): boolean {
  if (at === query.length) return true;
  const character = name[from];
  if (character === undefined) return false;
  if (query.startsWith(character, at) && matchesFrom(query, at + character.length, name, from + 1)) return true;
  for (const reading of readings(character)) {
    let length = 0;
    while (length < reading.length && query[at + length] === reading[length]) length += 1;
    // a syllable may be cut short anywhere: the longest first, the initial last
    for (; length > 0; length--) if (matchesFrom(query, at + length, name, from + 1)) return true;
  }
  return false;
}

/** What a query may begin with to match a name from this character on: the character, the first letters of its readings. */
export const beginnings = (character: string): string => character + readings(character).map((reading) => reading.charAt(0)).join("");

/** Where in a name a query of letters and characters matches; -1 nowhere. Both in lower case, the query without spaces; `begins` are
 * the beginnings of each character. */
export function soundsAt(query: string, name: readonly string[], begins: readonly string[]): number {
  const first = query.charAt(0);
  for (let from = 0; from < name.length; from++) if ((begins[from] as string).includes(first) && matchesFrom(query, 0, name, from)) return from;
  return -1;
}

/** Whether two names sound alike: variant characters, mistyped homophones. */
export function soundsAlike(one: string, two: string): boolean {
  const [first, second] = [Array.from(one), Array.from(two)];
  return (
    first.length === second.length &&
    first.every((character, at) => {
      const other = second[at] as string;
      return character === other || readings(character).some((reading) => readings(other).includes(reading));
    })
  );
}
