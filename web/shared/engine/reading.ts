// What a screen reads of an engine: all of it from memory, and empty while the PIN has not been given.

import { checkDrafts } from "./asked.ts";
import { validate } from "../forms/validate.ts";
import type { Form, FormRegistry } from "../forms/form.ts";
import type { Drafts, KeptDraft } from "./drafts.ts";
import type { Finding } from "./finding.ts";
import type { Early } from "./glance.ts";
import type { Ledger } from "./ledger.ts";
import type { Suspect } from "./duplicates.ts";
import type { Lookup } from "./lookup.ts";
import { Places } from "./places.ts";
import type { Reference } from "./reference-types.ts";
import type { SearchHit, SearchOptions } from "./search-types.ts";
import { noticesOf, operationsOf, outboxOf, type Which } from "./standing.ts";
import type { AskedItem, Dispute, Draft, FieldError, Fields, Labels, Notice, Outbox, PlaceGuess, RecordView, Standing, Value, Where } from "./types.ts";

/** Everything that is there only while the PIN has been given. */
export interface Opened {
  ledger: Ledger;
  registry: FormRegistry;
  lookup: Lookup;
  finding: Finding;
  drafts: Drafts;
}

/** The reading half of an engine. */
export abstract class Reader {
  protected opened: Opened | null = null;
  protected early: Early | null = null; // while the records are being opened
  /** What a failed change means to a person is told, too. */
  protected abstract failed(error: unknown): unknown;

  protected ledger = (): Ledger | null => this.opened?.ledger ?? this.early?.ledger ?? null;

  read = (id: string): RecordView | null => this.opened?.lookup.read(id) ?? null;
  list = (type: string, where?: Where): RecordView[] => this.opened?.lookup.list(type, where) ?? [];
  count = (type: string, where?: Where): number => (where ? this.list(type, where).length : (this.opened?.lookup.ids(type).size ?? 0));
  members = (householdId: string): RecordView[] => this.opened?.finding.members(householdId) ?? [];
  households = (dwellingId: string): RecordView[] => this.opened?.finding.households(dwellingId) ?? [];
  dwellings = (placeId: string): RecordView[] => this.opened?.finding.dwellings(placeId) ?? [];
  entrances = (buildingId: string): RecordView[] => this.opened?.finding.entrances(buildingId) ?? [];
  buildings = (estateId?: string): RecordView[] => this.opened?.finding.buildings(estateId) ?? [];
  address = (id: string): string => this.opened?.finding.address(id) ?? "";
  search = (text: string, options?: SearchOptions): SearchHit[] => this.opened?.finding.search(text, options) ?? [];
  duplicates = (fields: Fields, exceptId?: string): Suspect[] =>
    this.opened?.finding.duplicates(fields, exceptId) ?? [];
  duplicatesBehind = async (fields: Fields, exceptId: string | undefined, isWanted: () => boolean): Promise<Suspect[] | null> =>
    this.opened?.finding.duplicatesBehind(fields, exceptId, isWanted) ?? null;
  reference = (): Reference | null => this.ledger()?.reference?.content ?? null;
  form = (type: string): Form | null => this.opened?.registry.get(type) ?? null;

  check(type: string, fields: Fields, creating: boolean): FieldError[] {
    const form = this.form(type);
    return form ? validate(form, fields, creating).errors.map((error) => ({ ...error, draft: 0 })) : [];
  }

  drafts = (): KeptDraft[] => this.opened?.drafts.all() ?? [];
  draft = (place: string): KeptDraft | null => this.opened?.drafts.at(place) ?? null;
  keepDraft = async (draft: KeptDraft): Promise<void> => {
    const { opened } = this;
    await opened?.drafts.keep(draft).catch((error: unknown) => {
      throw this.opened === opened ? this.failed(error) : error; // locked meanwhile: nobody's trouble
    });
  };
  dropDraft = async (place: string): Promise<void> => this.opened?.drafts.drop(place);

  outbox = (): Outbox => outboxOf(this.ledger());
  unsentCount = (): number => this.outbox().unsent;
  operations = (which: Which = {}): Standing[] => operationsOf(this.opened?.ledger ?? null, which);
  notices = (): Notice[] => (this.opened ? noticesOf(this.opened.ledger, this.opened.lookup, this.opened.registry) : []);
  dispute = (recordId: string, unit: string): Dispute | null => this.opened?.ledger.core.disputes[`${recordId}/${unit}`] ?? null;
  checked = (item: AskedItem, outcome: string, note: string): Draft[] | null =>
    this.opened ? checkDrafts(this.opened.lookup, this.opened.registry, item, outcome, note, new Date()) : null;

  private readonly places = new Places(() => this.opened?.ledger.reference?.content);
  locate = (lon: number, lat: number): string | null => this.places.locate(lon, lat);
  place = (fix: Value): PlaceGuess | null => this.places.place(fix);
}
