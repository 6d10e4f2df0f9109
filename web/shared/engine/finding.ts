// Who lives where, what a place is called, and finding people by name, sound, phone, document, address.

import { beginnings, comparable, soundsAlike, soundsAt } from "../pinyin/pinyin.ts";
import type { Lookup } from "./lookup.ts";
import type { SearchHit, SearchOptions } from "./search-types.ts";
import type { Fields, Labels, RecordView, Value } from "./types.ts";

const DEFAULT_TYPES = ["person", "household", "dwelling", "entrance", "building", "organization"];
const NUMERIC = new Intl.Collator("zh", { numeric: true });

const compareText = (one: string, two: string): number => (one < two ? -1 : one > two ? 1 : 0);
const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
const listOf = (value: Value | undefined): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []);
const plain = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/[\s\-·.]+/g, "");
const mask = (value: Value | undefined): string =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? textOf((value as Record<string, Value>)["mask"]) : textOf(value);

/** What a household, a door and a building are drawn from. */
const REFERENCES = [["person", "residence_household"], ["household", "dwelling"], ["dwelling", "entrance"], ["dwelling", "building"], ["entrance", "building"]] as const;
const SLICE_MS = 8;
const SORTED_BY_SOUND = 200;
const PLACES: ReadonlySet<string> = new Set(["building", "entrance", "dwelling"]);

/** A place inside another; one that is named with the other's name says it once: `石皮巷1幢1单元`, not `石皮巷1幢 石皮巷1幢1单元`. */
const joined = (outer: string, inner: string): string => (inner.startsWith(outer) ? inner : [outer, inner].filter(Boolean).join(" "));

/** Where somebody lives: the id of the household or dwelling; null for what has a place of its own. */
const homeOf = ({ type, fields }: RecordView): string | null =>
  type === "person" ? textOf(fields["residence_household"]) : type === "household" ? textOf(fields["dwelling"]) : null;

/** What was typed, looked at once. `first`: the bit of its first letter. */
interface Asked {
  query: string;
  isNumber: boolean;
  hasLetters: boolean;
  onlyLetters: boolean;
  first: number;
}
const bitOf = (letter: string): number => (letter >= "a" && letter <= "z" ? 1 << (letter.charCodeAt(0) - 97) : 0);
const askedFor = (query: string): Asked => ({
  query, isNumber: /^[0-9x]+$/.test(query), hasLetters: /[a-z]/.test(query), onlyLetters: /^[a-z]+$/.test(query), first: bitOf(query.charAt(0)),
});

interface Hit {
  hit: Needle;
  matched: SearchHit["matched"];
}
type Compare = (one: string, two: string) => number;

/** The best `most` hits by title, in order: few are sorted, of many only those that are shown. */
function best(hits: Hit[], most: number): Hit[] {
  const order = (compare: Compare) => (one: Hit, two: Hit): number => compare(one.hit.title, two.hit.title) || compareText(one.hit.view.id, two.hit.view.id);
  if (hits.length <= SORTED_BY_SOUND) return hits.sort(order(NUMERIC.compare)).slice(0, most); // a short list is worth the better order
  const before = order(compareText);
  const kept: Hit[] = [];
  for (const hit of hits) {
    if (kept.length === most && before(hit, kept[most - 1] as Hit) >= 0) continue;
    let at = kept.length;
    while (at > 0 && before(hit, kept[at - 1] as Hit) < 0) at -= 1;
    kept.splice(at, 0, hit);
    if (kept.length > most) kept.pop();
  }
  return kept;
}

interface Needle {
  view: RecordView;
  title: string;
  name: readonly string[];
  begins: readonly string[];
  /** A bit for each letter that some character may begin with. */
  letters: number;
  plain: string;
  other: readonly string[];
  phones: readonly string[];
  document: string;
  number: string;
  /** The address as it is compared, and the state of the places that it is of. */
  address: string;
  addressOf: number;
}

/** Questions over the records of one phone. */
export class Finding {
  private pools = new Map<string, Map<string, Needle>>();
  private addresses = new Map<string, string>();
  private plainAddresses = new Map<string, string>();
  private revision = -1;
  /** Persons whose name the last letters fit: more letters fit none but these. */
  private narrowed: { query: string; persons: Needle[] } | null = null;

  constructor(private readonly lookup: Lookup) {}

  private byNumber(views: RecordView[], ...fields: string[]): RecordView[] {
    const key = (view: RecordView): string => textOf(fields.map((field) => view.fields[field]).find((value) => value !== undefined));
    return views.sort((one, two) => NUMERIC.compare(key(one), key(two)) || (one.id < two.id ? -1 : 1));
  }

  members(householdId: string): RecordView[] {
    const head = this.lookup.read(householdId)?.fields["head"];
    const rank = (view: RecordView): number => (view.id === head ? 0 : 1);
    const by = (view: RecordView, field: string): string => textOf(view.fields[field]) || "~";
    return this.lookup
      .list("person", { residence_household: householdId })
      .sort((one, two) => rank(one) - rank(two) || NUMERIC.compare(by(one, "relation_to_head"), by(two, "relation_to_head")) || (by(one, "birth_date") < by(two, "birth_date") ? -1 : 1));
  }

  households(dwellingId: string): RecordView[] {
    return this.byNumber(this.lookup.list("household", { dwelling: dwellingId }), "household_number");
  }

  entrances(buildingId: string): RecordView[] {
    return this.byNumber(this.lookup.list("entrance", { building: buildingId }), "number", "name");
  }

  buildings(estateId?: string): RecordView[] {
    return this.byNumber(this.lookup.list("building", estateId === undefined ? {} : { estate: estateId }), "number", "name");
  }

  dwellings(placeId: string): RecordView[] {
    const found = new Map<string, RecordView>();
    for (const one of this.lookup.list("dwelling", { entrance: placeId })) found.set(one.id, one);
    for (const one of this.lookup.list("dwelling", { building: placeId })) found.set(one.id, one);
    for (const entrance of this.lookup.list("entrance", { building: placeId })) {
      for (const one of this.lookup.list("dwelling", { entrance: entrance.id })) found.set(one.id, one);
    }
    return this.byNumber([...found.values()], "door_number");
  }

  address(id: string): string {
    const view = this.lookup.read(id);
    if (!view) return "";
    const home = homeOf(view);
    if (home !== null) return this.address(home) || textOf(view.fields["registration_address_text"]);
    this.freshen();
    const known = this.addresses.get(id);
    if (known !== undefined) return known;
    const found = this.addressOf(view);
    if (PLACES.has(view.type)) this.addresses.set(id, found);
    return found;
  }

  private addressOf(view: RecordView): string {
    const { fields } = view;
    const named = (of: Fields, suffix: string): string => textOf(of["name"]) || (textOf(of["number"]) ? `${textOf(of["number"])}${suffix}` : "");
    switch (view.type) {
      case "building":
        return named(fields, "幢");
      case "entrance":
        return joined(this.address(textOf(fields["building"])), named(fields, "单元"));
      case "dwelling": {
        const place = this.address(textOf(fields["entrance"])) || this.address(textOf(fields["building"]));
        const door = textOf(fields["door_number"]);
        return place || door ? joined(place, door) : textOf(fields["address_text"]);
      }
      default:
        return textOf(fields["address_text"]) || this.address(textOf(fields["building"]) || textOf(fields["dwelling"]));
    }
  }

  private freshen(): void {
    if (this.revision === this.lookup.placeRevision) return;
    this.revision = this.lookup.placeRevision;
    this.addresses = new Map();
    this.plainAddresses = new Map();
  }

  /** The address as it is compared; kept for places, which many records lead to. */
  private plainAddress(view: RecordView): string {
    const home = homeOf(view);
    if (home !== null) {
      const next = this.lookup.read(home);
      return next ? this.plainAddress(next) : "";
    }
    const known = this.plainAddresses.get(view.id);
    if (known !== undefined) return known;
    const found = plain(this.address(view.id));
    if (PLACES.has(view.type)) this.plainAddresses.set(view.id, found);
    return found;
  }

  /** Makes ready what a search needs, a slice at a time, so that the first keystroke is as quick as the next ones. */
  async warm(isWanted: () => boolean): Promise<void> {
    this.narrowed = null;
    this.pools = new Map(); // what was made before the sounds were there
    let until = Date.now() + SLICE_MS;
    for (const [type, field] of REFERENCES) {
      this.lookup.referring(type, field, "");
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (!isWanted()) return;
    }
    for (const type of DEFAULT_TYPES) {
      const made = new Map<string, Needle>();
      for (const id of [...this.lookup.ids(type)]) {
        if (Date.now() >= until) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          if (!isWanted()) return;
          until = Date.now() + SLICE_MS;
        }
        const view = this.lookup.read(id);
        if (view?.life !== "live" || view.type !== type) continue;
        this.freshen();
        const needle = this.needle(view);
        this.placed(needle);
        made.set(id, needle);
      }
      // records that changed meanwhile
      for (const id of this.lookup.ids(type)) {
        const view = this.lookup.read(id) as RecordView;
        if (made.get(id)?.view !== view) made.set(id, this.needle(view));
      }
      for (const id of made.keys()) if (this.lookup.read(id)?.life !== "live") made.delete(id);
      this.pools.set(type, made);
    }
  }

  /** What a search looks at in the records of one type; made once, kept in step by `touch`. */
  private pool(type: string): Map<string, Needle> {
    let pool = this.pools.get(type);
    if (!pool) {
      pool = new Map();
      for (const id of this.lookup.ids(type)) pool.set(id, this.needle(this.lookup.read(id) as RecordView));
      this.pools.set(type, pool);
    }
    return pool;
  }

  /** Records that have changed; null: all of them. */
  touch(ids: ReadonlySet<string> | null): void {
    this.narrowed = null;
    if (ids === null) {
      this.pools = new Map();
      return;
    }
    for (const id of ids) {
      const view = this.lookup.read(id);
      for (const [type, pool] of this.pools) {
        if (view?.type === type && view.life === "live") pool.set(id, this.needle(view));
        else pool.delete(id);
      }
    }
  }

  private needle(view: RecordView): Needle {
    const { fields } = view;
    const title = textOf(fields["name"]) || textOf(fields["door_number"]) || textOf(fields["household_number"]) || textOf(fields["number"]);
    const lower = title.toLowerCase();
    const begins = Array.from(lower, beginnings);
    return {
      view,
      title,
      name: Array.from(lower),
      begins,
      letters: begins.reduce((bits, each) => [...each].reduce((sum, letter) => sum | bitOf(letter), bits), 0),
      plain: plain(title),
      other: listOf(fields["former_names"]).map(plain),
      phones: [...listOf(fields["phones"]), textOf(fields["phone"]), textOf(fields["contact_phone"])].map((one) => one.replace(/\D/g, "")).filter(Boolean),
      document: mask(fields["document_number"]).replace(/\*/g, "").toLowerCase(),
      number: plain(textOf(fields["household_number"]) || textOf(fields["credit_code"])),
      address: "",
      addressOf: -1,
    };
  }

  private placed(needle: Needle): string {
    if (needle.addressOf !== this.revision) {
      needle.address = this.plainAddress(needle.view);
      needle.addressOf = this.revision;
    }
    return needle.address;
  }

  search(text: string, options: SearchOptions = {}): SearchHit[] {
    const query = plain(text);
    if (!query) return [];
    this.freshen();
    const asked = askedFor(query);
    const ranks: Hit[][] = [];
    for (const type of options.types ?? DEFAULT_TYPES) {
      const persons: Needle[] = [];
      for (const hit of this.candidates(type, asked)) {
        const match = this.match(asked, hit);
        if (!match) continue;
        persons.push(hit);
        (ranks[match[0]] ??= []).push({ hit, matched: match[1] });
      }
      if (type === "person") this.narrowed = asked.onlyLetters ? { query, persons } : null;
    }
    const limit = options.limit ?? 50;
    const found: SearchHit[] = [];
    for (const rank of ranks) {
      if (rank && found.length < limit) found.push(...best(rank, limit - found.length).map(({ hit, matched }) => this.shown(hit, matched)));
    }
    return found;
  }

  private candidates(type: string, { query, onlyLetters }: Asked): Iterable<Needle> {
    const { narrowed } = this;
    const pool = this.pool(type);
    return type === "person" && onlyLetters && narrowed && query.startsWith(narrowed.query) ? narrowed.persons : pool.values();
  }

  /** How well a record fits (0 best) and by what; null where it does not. */
  private match({ query, isNumber, hasLetters, onlyLetters, first }: Asked, hit: Needle): [number, SearchHit["matched"]] | null {
    if (hit.plain === query) return [0, "name"];
    if (isNumber) {
      if (query.length >= 3 && hit.phones.some((phone) => phone.endsWith(query))) return [1, "phone"];
      if (query.length >= 3 && hit.document && (hit.document.endsWith(query) || query.endsWith(hit.document))) return [2, "document"];
      if (hit.number && hit.number.endsWith(query)) return [3, "number"];
      if (query.length >= 3 && hit.phones.some((phone) => phone.includes(query))) return [4, "phone"];
    }
    if (hit.plain) {
      if (hit.plain.startsWith(query)) return [1, "name"];
      if (hit.plain.includes(query) || hit.other.some((one) => one.includes(query))) return [2, "name"];
      if (hasLetters && (first === 0 || hit.letters & first)) {
        const at = soundsAt(query, hit.name, hit.begins);
        if (at >= 0) return [at === 0 ? 3 : 5, "pinyin"];
      }
    }
    // people and households are found by their door; a person only behind the door itself
    const isPlace = hit.view.type !== "organization" && hit.view.type !== "person";
    if (isPlace && query.length > 1 && this.placed(hit).includes(query)) return [hit.view.type === "dwelling" ? 6 : 7, "address"];
    if (hit.view.type === "person" && !onlyLetters && query.length > 2 && this.placed(hit).endsWith(query)) return [8, "address"];
    return null;
  }

  private shown(hit: Needle, matched: SearchHit["matched"]): SearchHit {
    const { view } = hit;
    const people = view.type === "household" ? this.members(view.id).map((one) => textOf(one.fields["name"])) : [];
    const isDoor = view.type === "dwelling" || view.type === "entrance" || view.type === "household";
    const title = isDoor ? this.address(view.id) || hit.title : hit.title;
    const detail = view.type === "household" ? people.slice(0, 4).join(" ") : isDoor ? "" : this.address(view.id);
    return { id: view.id, type: view.type, title, detail: detail === title ? "" : detail, matched };
  }

  duplicates(fields: Fields, exceptId?: string): { view: RecordView; because: Labels; certain: boolean }[] {
    const name = comparable(textOf(fields["name"]));
    const document = textOf(fields["document_number"]).trim().toUpperCase();
    const birth = textOf(fields["birth_date"]);
    const phones = new Set(listOf(fields["phones"]));
    const household = textOf(fields["residence_household"]);
    const found: { score: number; view: RecordView; because: Labels; certain: boolean }[] = [];
    for (const id of this.lookup.ids("person")) {
      if (id === exceptId) continue;
      const view = this.lookup.read(id) as RecordView;
      const other = view.fields;
      const held = other["document_number"];
      const sameBirth = birth !== "" && other["birth_date"] === birth;
      const otherName = comparable(textOf(other["name"]));
      const sameName = name !== "" && (otherName === name || listOf(other["former_names"]).some((one) => comparable(one) === name));
      const alike = !sameName && (sameBirth || household !== "") && soundsAlike(name, otherName);
      const tail = mask(held).replace(/\*/g, "");
      const sameTail = document !== "" && tail.length >= 4 && document.endsWith(tail.toUpperCase());
      const samePhone = listOf(other["phones"]).some((one) => phones.has(one));
      const sameHome = household !== "" && other["residence_household"] === household;
      const add = (score: number, zh: string, en: string, certain = false): void => void found.push({ score, view, because: { zh, en }, certain });
      if (typeof held === "string" && document !== "" && held === document) add(100, "证件号码相同", "the same document number", true);
      else if (sameTail && (sameBirth || sameName)) add(90, sameName ? "姓名与证件号后几位相同" : "出生日期与证件号后几位相同", sameName ? "the same name and end of the document number" : "the same birth date and end of the document number");
      else if (sameName && sameBirth) add(80, "姓名与出生日期相同", "the same name and birth date");
      else if (sameName && samePhone) add(70, "姓名与电话相同", "the same name and phone");
      else if (sameName && sameHome) add(60, "同一户里姓名相同", "the same name in the same household");
      else if (alike && (sameBirth || sameHome)) add(50, sameBirth ? "姓名同音，出生日期相同" : "同一户里姓名同音", sameBirth ? "a name that sounds alike, the same birth date" : "a name that sounds alike in the same household");
      else if (sameName) add(20, "姓名相同", "the same name");
    }
    return found.sort((one, two) => two.score - one.score || (one.view.id < two.view.id ? -1 : 1)).slice(0, 20).map(({ view, because, certain }) => ({ view, because, certain }));
  }
}
