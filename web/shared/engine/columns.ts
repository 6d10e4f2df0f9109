// All records of one type as a search looks at them: one long text for each column, with the place where each record begins. The
// browser's own search runs through such a text some hundred times faster than a program looks at ten thousand records.

import { readings, soundsAt } from "../pinyin/pinyin.ts";
import { BY_ADDRESS, BY_DOCUMENT, BY_NAME, BY_NUMBER, BY_PHONE, BY_SOUND, fit, isPlace, NO_FIT, placeFit, type Asked, type Needle } from "./matching.ts";

/** A line break stands before and behind every value: so what begins, ends or is equal is found by the same search. */
const MARK = "\n";

/** The values of a column, in the order of the records. */
export class Column {
  private readonly text: string;
  /** Where the values of each record begin; one more for the end. */
  private readonly starts: Int32Array;

  constructor(values: readonly (string | readonly string[])[]) {
    const starts = new Int32Array(values.length + 1);
    const parts: string[] = [MARK];
    let at = 1;
    values.forEach((value, number) => {
      starts[number] = at;
      for (const one of typeof value === "string" ? [value] : value) {
        if (one === "") continue;
        parts.push(one, MARK);
        at += one.length + 1;
      }
    });
    starts[values.length] = at;
    this.text = parts.join("");
    this.starts = starts;
  }

  private each(wanted: string, isMarked: boolean, found: (record: number) => void): void {
    const { text, starts } = this;
    let record = 0;
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, (starts[record] as number) - (isMarked ? 1 : 0))) {
      const inside = isMarked ? at + 1 : at;
      while ((starts[record + 1] as number) <= inside) record += 1;
      found(record);
      record += 1;
      if (record >= starts.length - 1) return;
    }
  }

  equal = (value: string, found: (record: number) => void): void => this.each(MARK + value + MARK, true, found);
  beginning = (value: string, found: (record: number) => void): void => this.each(MARK + value, true, found);
  ending = (value: string, found: (record: number) => void): void => this.each(value + MARK, false, found);
  containing = (value: string, found: (record: number) => void): void => this.each(value, false, found);
}

/** What may follow a place in the query is one bit each; longer queries are compared letter by letter. */
const MOST_BITS = 30;

/** The characters of all names, each once, and what of the present query each of them can stand for. */
class Sounds {
  private readonly names: Uint16Array;
  private readonly starts: Int32Array;
  private readonly characters: string[] = [];

  constructor(titles: readonly string[]) {
    const known = new Map<string, number>();
    const all: number[] = [];
    this.starts = new Int32Array(titles.length + 1);
    titles.forEach((title, number) => {
      this.starts[number] = all.length;
      for (const one of title.toLowerCase()) {
        let at = known.get(one);
        if (at === undefined) {
          known.set(one, (at = this.characters.length));
          this.characters.push(one);
        }
        all.push(at);
      }
    });
    this.starts[titles.length] = all.length;
    this.names = Uint16Array.from(all);
  }

  /** Bits of the places in the query that a character leads to from one place: all of it, or any beginning of one of its readings. */
  private leads(character: string, query: string, at: number): number {
    let places = query.startsWith(character, at) ? 1 << (at + character.length) : 0;
    for (const reading of readings(character)) {
      for (let length = 0; length < reading.length && query[at + length] === reading[length]; length++) places |= 1 << (at + length + 1);
    }
    return places;
  }

  /** `found(record, true)`: the query sounds like the beginning of its name; false: like what begins further inside. */
  each(query: string, found: (record: number, isFirst: boolean) => void): void {
    const { names, starts, characters } = this;
    const width = query.length;
    const done = 1 << width;
    const table = new Int32Array(characters.length * width).fill(-1);
    const after = (character: number, places: number): number => {
      let next = 0;
      for (let at = 0; at < width; at++) {
        if (!(places & (1 << at))) continue;
        const cell = character * width + at;
        let leads = table[cell] as number;
        if (leads < 0) table[cell] = leads = this.leads(characters[character] as string, query, at);
        next |= leads;
      }
      return next;
    };
    for (let record = 0; record < starts.length - 1; record++) {
      const from = starts[record] as number;
      const end = starts[record + 1] as number;
      let first = 1;
      let inner = 0;
      let isInside = false;
      for (let at = from; at < end; at++) {
        const character = names[at] as number;
        if (first && (first = after(character, first)) & done) break;
        if (at > from && !isInside) isInside = ((inner = after(character, inner | 1)) & done) !== 0;
        if (isInside && !first) break;
      }
      if (first & done) found(record, true);
      else if (isInside) found(record, false);
    }
  }
}

/** One hit: which record, what it is called, how well it fits. */
export interface Found {
  id: string;
  type: string;
  title: string;
  code: number;
}

/** The columns of one type. Records that change later are taken out one by one and asked by themselves. */
export class TypeColumns {
  private readonly place = new Map<string, number>();
  private readonly gone: Uint8Array;
  private readonly plains: Column;
  private readonly others: Column;
  private readonly phones: Column;
  private readonly documents: Column;
  private readonly numbers: Column;
  private readonly titles: readonly string[];
  private readonly spoken: readonly string[];
  private sounds: Sounds | null = null;

  /** `homes`: the number of the place of each record among those of `Addresses`. */
  constructor(
    private readonly type: string,
    private readonly ids: readonly string[],
    needles: readonly Needle[],
    private readonly homes: Int32Array,
  ) {
    ids.forEach((id, number) => this.place.set(id, number));
    this.gone = new Uint8Array(ids.length);
    this.titles = needles.map((one) => one.title);
    this.spoken = needles.map((one) => (one.plain ? one.title : ""));
    this.plains = new Column(needles.map((one) => one.plain));
    this.others = new Column(needles.map((one) => (one.plain ? one.other : [])));
    this.phones = new Column(needles.map((one) => one.phones));
    this.documents = new Column(needles.map((one) => one.document));
    this.numbers = new Column(needles.map((one) => one.number));
  }

  remove(id: string): void {
    const number = this.place.get(id);
    if (number !== undefined) this.gone[number] = 1;
  }

  /** `addressed`: what `Addresses.marks` says of what was asked. */
  find(asked: Asked, addressed: () => Uint8Array): Found[] {
    const { query, isNumber, hasLetters, onlyLetters, place } = asked;
    const codes = new Uint8Array(this.ids.length).fill(NO_FIT);
    const mark = (code: number) => (record: number): void => {
      if (codes[record] === NO_FIT) codes[record] = code;
    };
    this.plains.equal(query, mark(fit(0, BY_NAME)));
    if (place && this.type !== "organization") this.byAddress(codes, addressed(), NAMED, placeFit(this.type));
    if (isNumber) {
      if (query.length >= 3) {
        this.phones.ending(query, mark(fit(1, BY_PHONE)));
        this.documents.ending(query, mark(fit(2, BY_DOCUMENT)));
        for (let from = 0; from < query.length; from++) this.documents.equal(query.slice(from), mark(fit(2, BY_DOCUMENT)));
      }
      this.numbers.ending(query, mark(fit(3, BY_NUMBER)));
      if (query.length >= 3) this.phones.containing(query, mark(fit(4, BY_PHONE)));
    }
    this.plains.beginning(query, mark(fit(1, BY_NAME)));
    this.plains.containing(query, mark(fit(2, BY_NAME)));
    this.others.containing(query, mark(fit(2, BY_NAME)));
    if (hasLetters) this.bySound(query, codes);
    if (isPlace(this.type) && query.length > 1) this.byAddress(codes, addressed(), HOLDS, fit(this.type === "dwelling" ? 6 : 7, BY_ADDRESS));
    if (this.type === "person" && !onlyLetters && query.length > 2) this.byAddress(codes, addressed(), ENDS, fit(8, BY_ADDRESS));
    const found: Found[] = [];
    for (let record = 0; record < codes.length; record++) {
      const code = codes[record] as number;
      if (code !== NO_FIT && !this.gone[record]) found.push({ id: this.ids[record] as string, type: this.type, title: this.titles[record] as string, code });
    }
    return found;
  }

  private bySound(query: string, codes: Uint8Array): void {
    const mark = (record: number, isFirst: boolean): void => {
      if (codes[record] === NO_FIT) codes[record] = fit(isFirst ? 3 : 5, BY_SOUND);
    };
    if (query.length <= MOST_BITS) (this.sounds ??= new Sounds(this.spoken)).each(query, mark);
    else this.spoken.forEach((title, record) => {
      const at = soundsAt(query, Array.from(title.toLowerCase()));
      if (at >= 0) mark(record, at === 0);
    });
  }

  private byAddress(codes: Uint8Array, addresses: Uint8Array, least: number, code: number): void {
    for (let record = 0; record < codes.length; record++) {
      if (codes[record] === NO_FIT && (addresses[this.homes[record] as number] as number) >= least) codes[record] = code;
    }
  }
}

/** How a place fits what was asked: its address holds it, ends so, or is what neighbours call it. */
const [HOLDS, ENDS, NAMED] = [1, 2, 3] as const;

/** What places are called in one way of saying it. Many places share a name. */
class Called<Names extends string | readonly string[]> {
  private entries = new Int32Array(0);
  private column = new Column([]);
  private count = 0;
  private isStale = true;

  /** `namesOf`: the same value for the same names. */
  constructor(private readonly numbers: ReadonlyMap<string, number>, private readonly namesOf: (placeId: string) => Names) {}

  stale(): void {
    this.isStale = true;
  }

  refresh(): void {
    if (!this.isStale) return;
    const distinct = new Map<Names, number>();
    this.entries = new Int32Array(this.numbers.size);
    for (const [id, number] of this.numbers) {
      const names = this.namesOf(id);
      let entry = distinct.get(names);
      if (entry === undefined) distinct.set(names, (entry = distinct.size));
      this.entries[number] = entry;
    }
    this.column = new Column([...distinct.keys()]);
    this.count = distinct.size;
    this.isStale = false;
  }

  /** Raises the mark of each place whose name holds the query, or ends so. */
  mark(marks: Uint8Array, query: string, ends: number): void {
    this.refresh();
    const { entries } = this;
    const found = new Uint8Array(this.count);
    this.column.containing(query, (entry) => (found[entry] = HOLDS));
    this.column.ending(query, (entry) => (found[entry] = ends));
    for (let place = 0; place < marks.length; place++) {
      const mark = found[entries[place] as number] as number;
      if (mark > (marks[place] as number)) marks[place] = mark;
    }
  }
}

/** Places by number, their addresses and what neighbours call them; many records lead to one place. */
export class Addresses {
  private readonly numbers = new Map<string, number>();
  private readonly written: Called<string>;
  /** Read when somebody asks for a place in these words: who looks for a name does not wait for it. */
  private readonly spoken: Called<readonly string[]>;

  constructor(addressOf: (placeId: string) => string, namesOf: (placeId: string) => readonly string[]) {
    this.written = new Called(this.numbers, addressOf);
    this.spoken = new Called(this.numbers, namesOf);
  }

  /** The number of a place; what is new is read before the next question. */
  numberOf(placeId: string): number {
    const known = this.numbers.get(placeId);
    if (known !== undefined) return known;
    this.stale();
    this.numbers.set(placeId, this.numbers.size);
    return this.numbers.size - 1;
  }

  /** A place changed. */
  stale(): void {
    this.written.stale();
    this.spoken.stale();
  }

  /** Reads the addresses again where a place changed. */
  refresh(): void {
    this.written.refresh();
    this.spoken.refresh();
  }

  /** For each place: 0 where its address does not hold what was asked, else how it fits. */
  marks({ query, place }: Asked): Uint8Array {
    const marks = new Uint8Array(this.numbers.size);
    this.written.mark(marks, query, ENDS);
    if (place) this.spoken.mark(marks, place, NAMED);
    return marks;
  }
}
