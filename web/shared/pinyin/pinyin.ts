// Finding names by how they sound: full pinyin, initials, or a mix with characters. The table is loaded when it is first
// needed; until then names are found by their characters.

let table: Map<string, string[]> | null = null;
/** The same without what is only typed: as the server reads names. */
let spoken: Map<string, string[]> | null = null;
let loading: Promise<void> | null = null;

/** Loads the readings; safe to call often. */
export function loadPinyin(): Promise<void> {
  loading ??= import("./table.json").then(({ default: rows }) => {
    const found = new Map<string, string[]>();
    for (const rank of rows as unknown as Record<string, string>[]) {
      for (const [reading, characters] of Object.entries(rank)) {
        for (const one of characters) {
          const readings = found.get(one);
          if (readings) readings.push(reading);
          else found.set(one, [reading]);
        }
      }
    }
    spoken = found;
    // ü is typed as v, and as u by many
    const typed = (reading: string): string[] => (reading.includes("v") ? [reading, reading.replace("v", "u")] : [reading]);
    table = new Map([...found].map(([one, readings]) => [one, [...new Set(readings.flatMap(typed))]]));
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

/** Where in a name a query of letters and characters matches; -1 nowhere. Both in lower case, the query without spaces. */
export function soundsAt(query: string, name: readonly string[]): number {
  for (let from = 0; from < name.length; from++) if (matchesFrom(query, 0, name, from)) return from;
  return -1;
}

const MOST_READINGS = 12;

/** The whole name as it may be spelt, at most so many ways. Twin of `spellings` in server/services/pinyin.py. */
export function spellings(name: string): Set<string> {
  const characters = Array.from(name, (one) => spoken?.get(one) ?? (/^[0-9A-Za-z]$/.test(one) ? [one.toLowerCase()] : [])).filter((one) => one.length > 0);
  if (characters.length === 0) return new Set();
  // The last one varies first: turned round, all readings of the family name are among them.
  let ways: string[] = [""];
  for (const readings of characters) ways = readings.flatMap((reading) => ways.map((rest) => rest + reading)).slice(0, MOST_READINGS);
  return new Set(ways);
}

/** Whether two names sound alike: variant characters, mistyped homophones. */
export function soundsAlike(one: string, two: string): boolean {
  const first = spellings(one);
  return first.size > 0 && [...spellings(two)].some((each) => first.has(each));
}

/** A name as it is compared: half-width, one case, single spaces. Twin of `normalise_for_search` of the server. */
export const comparable = (name: string): string =>
  (/^[\u4e00-\u9fff]*$/.test(name) ? name : name.replace(/[\uff01-\uff5e]/g, (one) => String.fromCharCode(one.charCodeAt(0) - 0xfee0)).normalize("NFC").toLowerCase().normalize("NFC")).trim().split(/\s+/).join(" ");
