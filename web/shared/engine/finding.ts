// Who lives where, what a place is called, and finding people by name, sound, phone, document, address.

import { Addresses, TypeColumns, type Found } from "./columns.ts";
import { judging, likeliest, type Scored, type Suspect } from "./duplicates.ts";
import type { Lookup } from "./lookup.ts";
import { askedFor, fits, matchedBy, needleOf, NO_FIT, plain, rankOf, spokenNames, textOf, type Needle } from "./matching.ts";
import { numeric } from "./numeric.ts";
import type { SearchHit, SearchOptions } from "./search-types.ts";
import type { Fields, RecordView } from "./types.ts";

const DEFAULT_TYPES = ["person", "household", "dwelling", "entrance", "building", "organization"];

const compareText = (one: string, two: string): number => (one < two ? -1 : one > two ? 1 : 0);
/** What a household, a door and a building are drawn from. */
const REFERENCES = [["person", "residence_household"], ["household", "dwelling"], ["dwelling", "entrance"], ["dwelling", "building"], ["entrance", "building"]] as const;
const SLICE_MS = 8;
/** So many changed records are made one with the columns in a quiet moment; so many before the next search. */
const [MANY_CHANGED, MOST_CHANGED, QUIET_MS] = [200, 2000, 1000];
const SORTED_BY_SOUND = 200;
const NO_NAMES: readonly string[] = [];
const PLACES: ReadonlySet<string> = new Set(["building", "entrance", "dwelling"]);

/** A place inside another; one that is named with the other's name says it once: `石皮巷1幢1单元`, not `石皮巷1幢 石皮巷1幢1单元`. */
const joined = (outer: string, inner: string): string => (inner.startsWith(outer) ? inner : [outer, inner].filter(Boolean).join(" "));

/** Where somebody lives: the id of the household or dwelling; null for what has a place of its own. */
const homeOf = ({ type, fields }: RecordView): string | null =>
  type === "person" ? textOf(fields["residence_household"]) : type === "household" ? textOf(fields["dwelling"]) : null;

/** The first `most` hits by title, in order. */
export function best<H extends { id: string; title: string }>(hits: H[], most: number): H[] {
  const compare = hits.length <= SORTED_BY_SOUND ? numeric().compare : compareText; // a short list is worth the better order
  const before = (one: H, two: H): boolean => (compare(one.title, two.title) || compareText(one.id, two.id)) < 0;
  const kept: H[] = [];
  for (const hit of hits) {
    if (kept.length >= most && (most === 0 || !before(hit, kept[kept.length - 1] as H))) continue;
    let from = 0;
    let to = kept.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (before(hit, kept[middle] as H)) to = middle;
      else from = middle + 1;
    }
    kept.splice(from, 0, hit);
    if (kept.length > most) kept.pop();
  }
  return kept;
}

/** The columns of a type, and what has changed since they were made. */
interface Pool {
  columns: TypeColumns;
  changed: Set<string>;
}

/** Questions over the records of one phone. */
export class Finding {
  private pools = new Map<string, Pool>();
  private addresses = new Map<string, string>();
  private plainAddresses = new Map<string, string>();
  private spokenAddresses = new Map<string, readonly string[]>();
  /** By the words they are made of: one house that is called otherwise has no other looked at again. */
  private spoken = new Map<string, readonly string[]>();
  private readonly places = new Addresses((id) => this.plainAddress(this.lookup.read(id)), (id) => this.spokenAddress(this.lookup.read(id)));
  /** What changed while columns are being made behind the screen. */
  private meanwhile: Set<string> | null = null;
  private isWanted: (() => boolean) | null = null;
  private later: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly lookup: Lookup) {}

  private byNumber(views: RecordView[], ...fields: string[]): RecordView[] {
    const key = (view: RecordView): string => textOf(fields.map((field) => view.fields[field]).find((value) => value !== undefined));
    return views.sort((one, two) => numeric().compare(key(one), key(two)) || (one.id < two.id ? -1 : 1));
  }

  members(householdId: string): RecordView[] {
    const head = this.lookup.read(householdId)?.fields["head"];
    const rank = (view: RecordView): number => (view.id === head ? 0 : 1);
    const by = (view: RecordView, field: string): string => textOf(view.fields[field]) || "~";
    return this.lookup
      .list("person", { residence_household: householdId })
      .sort((one, two) => rank(one) - rank(two) || numeric().compare(by(one, "relation_to_head"), by(two, "relation_to_head")) || (by(one, "birth_date") < by(two, "birth_date") ? -1 : 1));
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

  /** The place of a record: where it is behind a door, that; null where the phone does not have it. */
  private placeOf(view: RecordView | null): RecordView | null {
    const home = view && homeOf(view);
    return home === null ? view : this.placeOf(this.lookup.read(home));
  }

  /** The address as it is compared; kept for places, which many records lead to. */
  private plainAddress(view: RecordView | null): string {
    const place = this.placeOf(view);
    if (place === null) return "";
    const known = this.plainAddresses.get(place.id);
    if (known !== undefined) return known;
    const found = plain(this.address(place.id));
    if (PLACES.has(place.type)) this.plainAddresses.set(place.id, found);
    return found;
  }

  /** What neighbours call the place; kept as its address is. The same words are the same list. */
  private spokenAddress(view: RecordView | null): readonly string[] {
    const place = this.placeOf(view);
    if (place === null) return NO_NAMES;
    const known = this.spokenAddresses.get(place.id);
    if (known !== undefined) return known;
    const address = this.address(place.id);
    const building = textOf(this.lookup.read(textOf(place.fields["entrance"]))?.fields["building"]);
    const withoutEntrance = building && joined(this.address(building), textOf(place.fields["door_number"]));
    const words = `${address}\n${withoutEntrance}`;
    const names = this.spoken.get(words) ?? spokenNames(address, withoutEntrance);
    this.spoken.set(words, names);
    if (PLACES.has(place.type)) this.spokenAddresses.set(place.id, names);
    return names;
  }

  /** Makes ready what a search needs, a slice at a time, so that the first keystroke is as quick as the next ones. */
  async warm(isWanted: () => boolean): Promise<void> {
    this.isWanted = isWanted;
    const changed = new Set<string>();
    this.meanwhile = changed;
    let until = Date.now() + SLICE_MS;
    const mayGoOn = async (): Promise<boolean> => {
      if (Date.now() >= until) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        until = Date.now() + SLICE_MS;
      }
      return isWanted() && (this.meanwhile ?? changed) === changed;
    };
    for (const [type, field] of REFERENCES) {
      this.lookup.referring(type, field, "");
      if (!(await mayGoOn())) return;
    }
    const made = new Map<string, Pool>();
    for (const type of DEFAULT_TYPES) {
      const views: RecordView[] = [];
      const needles: Needle[] = [];
      for (const id of [...this.lookup.ids(type)]) {
        const view = this.lookup.read(id);
        if (view?.life !== "live" || view.type !== type) continue;
        views.push(view);
        needles.push(needleOf(view));
        if (PLACES.has(type)) {
          this.plainAddress(view);
          this.spokenAddress(view);
        }
        if (!(await mayGoOn())) return;
      }
      made.set(type, this.pooled(type, views, needles));
      if (!(await mayGoOn())) return;
    }
    this.places.refresh();
    for (const [type, pool] of made) {
      for (const id of changed) this.takeOut(type, pool, id);
      this.pools.set(type, pool);
    }
    this.meanwhile = null;
    if (await mayGoOn()) this.search("a", { limit: 1 }); // what the first keystroke would have to make
  }

  private pooled(type: string, views: readonly RecordView[], needles: readonly Needle[]): Pool {
    const homes = Int32Array.from(views, (view) => this.places.numberOf(homeOf(view) ?? view.id));
    return { columns: new TypeColumns(type, views.map((view) => view.id), needles, homes), changed: new Set() };
  }

  /** What a search looks at in the records of one type; kept in step by `touch`. */
  private pool(type: string): Pool {
    let pool = this.pools.get(type);
    if (!pool || pool.changed.size > MOST_CHANGED) {
      const views = [...this.lookup.ids(type)].map((id) => this.lookup.read(id) as RecordView);
      this.pools.set(type, (pool = this.pooled(type, views, views.map(needleOf))));
    }
    return pool;
  }

  /** From now on a record is asked by itself, if it is one of these. */
  private takeOut(type: string, pool: Pool, id: string): void {
    pool.columns.remove(id);
    const view = this.lookup.read(id);
    if (view?.type === type && view.life === "live") pool.changed.add(id);
    else pool.changed.delete(id);
  }

  /** Records that have changed; null: all of them. */
  touch(ids: ReadonlySet<string> | null): void {
    if (ids === null) {
      this.meanwhile = null; // what was being made is of the old records
      this.pools = new Map();
      this.spoken = new Map();
      this.forgetAddresses();
      this.warmLater();
      return;
    }
    for (const id of ids) {
      this.meanwhile?.add(id);
      for (const [type, pool] of this.pools) this.takeOut(type, pool, id);
      const type = this.lookup.read(id)?.type;
      if (type === "person") continue;
      // the door alone, unless the place that other places are named with is another one now
      if (type === undefined || type === "building" || type === "entrance") this.forgetAddresses();
      else this.forgetAddress(id);
    }
    if ([...this.pools.values()].some((pool) => pool.changed.size > MANY_CHANGED)) this.warmLater();
  }

  private forgetAddress(id: string): void {
    this.addresses.delete(id);
    this.plainAddresses.delete(id);
    this.spokenAddresses.delete(id);
    this.places.stale();
  }

  private forgetAddresses(): void {
    this.addresses = new Map();
    this.plainAddresses = new Map();
    this.spokenAddresses = new Map();
    this.places.stale();
  }

  private warmLater(): void {
    if (this.later !== null) clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.later = null;
      if (this.isWanted?.()) void this.warm(this.isWanted);
    }, QUIET_MS);
  }

  search(text: string, options: SearchOptions = {}): SearchHit[] {
    const asked = askedFor(text);
    if (!asked.query) return [];
    const ranks: Found[][] = [];
    let marks: Uint8Array | null = null;
    const pools = (options.types ?? DEFAULT_TYPES).map((type) => [type, this.pool(type)] as const); // all of them before the places are counted
    for (const [type, { columns, changed }] of pools) {
      const hits = columns.find(asked, () => (marks ??= this.places.marks(asked)));
      for (const id of changed) {
        const view = this.lookup.read(id) as RecordView;
        const needle = needleOf(view);
        const code = fits(asked, type, needle, () => this.plainAddress(view), () => this.spokenAddress(view));
        if (code !== NO_FIT) hits.push({ id, type, title: needle.title, code });
      }
      for (const hit of hits) (ranks[rankOf(hit.code)] ??= []).push(hit);
    }
    const limit = options.limit ?? 50;
    const found: SearchHit[] = [];
    for (const rank of ranks) {
      if (rank && found.length < limit) found.push(...best(rank, limit - found.length).map((hit) => this.shown(hit)));
    }
    return found;
  }

  /** Title and detail are made when they are looked at: of many hits few are drawn. */
  private shown({ id, type, title: ownTitle, code }: Found): SearchHit {
    const address = (): string => this.address(id);
    const isDoor = type === "dwelling" || type === "entrance" || type === "household";
    const title = (): string => (isDoor ? address() || ownTitle : ownTitle);
    const people = (): string => this.members(id).slice(0, 4).map((one) => textOf(one.fields["name"])).join(" ");
    const detail = (): string => (type === "household" ? people() : isDoor ? "" : address());
    return {
      id, type, matched: matchedBy(code),
      get title() {
        return title();
      },
      get detail() {
        const told = detail();
        return told === title() ? "" : told;
      },
    };
  }

  private *suspects(fields: Fields, exceptId?: string): Generator<Scored | null> {
    const doors = new Map<string, string>();
    const judge = judging(fields, (household) => {
      const known = doors.get(household);
      if (known !== undefined || household === "") return known ?? "";
      const door = textOf(this.lookup.read(household)?.fields["dwelling"]) || household;
      doors.set(household, door);
      return door;
    });
    for (const id of this.lookup.ids("person")) {
      const view = id === exceptId ? null : this.lookup.read(id);
      yield view && judge(view);
    }
  }

  duplicates(fields: Fields, exceptId?: string): Suspect[] {
    return likeliest([...this.suspects(fields, exceptId)]);
  }

  /** The same behind the screen, a slice at a time: nobody who types waits for it. null where it is not wanted any more. */
  async duplicatesBehind(fields: Fields, exceptId: string | undefined, isWanted: () => boolean): Promise<Suspect[] | null> {
    const found: (Scored | null)[] = [];
    let until = Date.now() + SLICE_MS;
    for (const one of this.suspects(fields, exceptId)) {
      if (one) found.push(one);
      if (Date.now() < until) continue;
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (!isWanted()) return null;
      until = Date.now() + SLICE_MS;
    }
    return likeliest(found);
  }
}
