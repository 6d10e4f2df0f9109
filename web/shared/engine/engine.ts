// The engine of one device: what `types.ts` promises, put together. Reading is from memory; writing is durable first.

import { FormRegistry } from "../forms/form.ts";
import { loadPinyin } from "../pinyin/pinyin.ts";
import { dropBlob, keepBlob, openBlob, readBlob, type Blob } from "./blobs.ts";
import type { Meter } from "./calls.ts";
import { totals } from "./copies.ts";
import { deskFor, freshCore } from "./desk.ts";
import { Drafts, unfinished } from "./drafts.ts";
import { enrol, RETRY_KEY } from "./enrolling.ts";
import { erasedIn, erasedProblem, erasedText } from "./erasing.ts";
import { Finding } from "./finding.ts";
import { keepGlance, openGlance } from "./glance.ts";
import { uuid7Source } from "./ids.ts";
import { Ledger, type Change } from "./ledger.ts";
import { Lookup } from "./lookup.ts";
import { Fenced, StorageFull, StorageRefused, type Answer, type EngineParts } from "./parts-types.ts";
import { Reader, type Opened } from "./reading.ts";
import { exportRescue, importRescue, isRescued, noteRescued, type Held } from "./rescue.ts";
import { setAside } from "./reserve.ts";
import { Seal, SealBroken } from "./sealing.ts";
import { sealedCount, sendSealed, type SealedReport } from "./sealed-outbox.ts";
import { fetched, standingProblems, synchronise } from "./syncing.ts";
import {
  EngineError, type Abandoned, type Draft, type Engine, type EngineEvent, type EngineState, type Identity, type Problem, type RescueFile, type SyncProgress, type SyncReport,
  type TakenOver, type UnlockResult, type Written,
} from "./types.ts";
import { checkPin, Vault, type About } from "./vault.ts";
import { isAway, sealedFile, sendSealedFile, waitingOn, type Waiting } from "./waiting.ts";
import { problem } from "./words.ts";
import { Group } from "./writing.ts";

const TOO_MANY_TO_NAME = 500;

const isRoom = ({ code }: Problem): boolean => code === "storage_full" || code === "no_room";
const stateError = (): EngineError => new EngineError("state", { zh: "现在不能这样做", en: "this cannot be done now" });
class DeviceEngine extends Reader implements Engine {
  private now: EngineState = "unenrolled";
  private vault: Vault | null = null;
  private known: Problem[] = [];
  private running: Promise<SyncReport> | null = null;
  private handedN = 0; // of the locked phone: every envelope up to this n is at the server, or in a file that was saved
  private held: Held | null = null; // what the last rescue file holds
  private photos: unknown = null; // as the screens know of them
  private readonly listeners = new Set<(event: EngineEvent) => void>();
  private readonly clock: () => number;
  private readonly fault: (step: string) => void;
  readonly newId: () => string;

  constructor(private readonly parts: EngineParts) {
    super();
    this.clock = parts.now ?? Date.now;
    this.newId = parts.newId ?? uuid7Source(this.clock);
    this.fault = parts.fault ?? (() => undefined);
  }

  // ---------------------------------------------------------------- where it stands

  async begin(steal = false): Promise<EngineState> {
    if (globalThis.crypto?.subtle === undefined) return this.become("insecure");
    let isLost = false;
    const lost = (): void => {
      isLost = true;
      this.lost();
    };
    if (this.parts.turn && !(await this.parts.turn.take({ steal, lost }))) return this.become("elsewhere");
    try {
      const { about } = await this.parts.store.open();
      const erased = erasedIn(about);
      this.vault = about === null || erased ? null : new Vault(this.parts.store, this.clock, this.parts.pinRounds, JSON.parse(about) as About, this.parts.wait);
      if (erased) this.mention([erasedProblem(erased)]);
    } catch (error) {
      this.mention([problem(error instanceof StorageFull ? "storage_full" : error instanceof StorageRefused ? "storage_refused" : "storage_broken")]);
      return this.become("insecure");
    }
    return isLost ? this.now : this.become(this.vault ? "locked" : "unenrolled");
  }

  private become(state: EngineState): EngineState {
    this.now = state;
    this.emit({ name: "state", state });
    return state;
  }

  private lost(): void {
    this.shut();
    this.become("elsewhere"); // another tab took the turn
  }

  private shut(): void {
    this.opened?.ledger.abandon();
    this.opened = null;
    this.held = null;
    this.handedN = 0;
  }

  private mention(problems: Problem[]): void {
    this.known = problems;
    this.emit({ name: "problems" });
  }

  private emit(event: EngineEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  state = (): EngineState => this.now;

  identity(): Identity | null {
    const core = this.ledger()?.core;
    if (!core) return null;
    const { communityId, installId, user, label } = core;
    return { communityId, installId, userId: user.user_id, userName: user.name, role: user.role, label };
  }

  problems = (): readonly Problem[] => this.known;

  on = (listener: (event: EngineEvent) => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  // ---------------------------------------------------------------- beginning, locking, leaving

  async enrol({ code, label, pin, appVersion }: { code: string; label: string; pin: string; appVersion?: string }): Promise<Identity> {
    if (this.now !== "unenrolled") throw stateError();
    checkPin(pin);
    const seal = await Seal.fresh();
    const vault = await Vault.fresh(this.parts.store, this.clock, this.parts.pinRounds, seal, pin);
    this.fault("enrol: before sending");
    const enrolled = await this.attempt(enrol(this.parts.transport, this.parts.store, { code: code.trim(), label, app_version: appVersion ?? this.parts.appVersion ?? "" }));
    this.fault("enrol: answered");
    const ledger = new Ledger(this.parts.store, seal, freshCore(enrolled, this.clock()), this.fault, (change) => this.changed(change));
    this.open(ledger);
    const first = (change: Change): void => (change.blobs.set(RETRY_KEY, null), change.patchCore({ completed: 0 }));
    await ledger.change("enrol", first, vault.text()).catch((error: unknown) => {
      this.shut();
      throw this.failed(error);
    });
    this.vault = vault;
    this.become("ready");
    void this.askToPersist();
    return enrolled.identity;
  }

  tries = (): UnlockResult | null => this.vault?.tries() ?? null;

  async unlock(pin: string): Promise<UnlockResult> {
    if (this.now !== "locked" || !this.vault) throw stateError();
    const { seal, result } = await this.attempt(this.vault.open(pin));
    if (!seal) return result;
    try {
      const ledger = await Ledger.open(this.parts.store, seal, this.fault, (change) => this.changed(change), (early) => this.glimpse(early));
      if (!ledger) throw new SealBroken("core");
      this.stillLocked(); // another tab may have taken over meanwhile
      this.open(ledger);
    } catch (error) {
      this.early = null;
      this.become(this.now); // a home screen that stood already goes
      if (error instanceof SealBroken) this.mention([problem("storage_broken")]);
      throw this.failed(error);
    }
    this.early = null;
    this.become("ready");
    this.handedN = 0;
    if (this.vault.isFull) this.mention([...this.known, problem("no_room")]);
    void this.askToPersist();
    return result;
  }

  private stillLocked(): void {
    if (this.now === "elsewhere") throw new Fenced("another tab took over");
    if (this.now !== "locked") throw stateError();
  }

  private async glimpse(ledger: Ledger): Promise<void> {
    const kept = await openGlance(ledger, this.parts.store);
    this.stillLocked();
    if (kept === null) return;
    this.early = { ledger, kept };
    this.emit({ name: "glance" });
    await this.parts.pause?.();
  }

  glance = (): unknown => this.early?.kept ?? null;
  keepGlance = (kept: unknown): Promise<boolean> => keepGlance(this.ready().ledger, kept);

  private open(ledger: Ledger): void {
    const registry = new FormRegistry(ledger.reference?.content ?? null);
    const lookup = new Lookup(ledger, registry);
    this.opened = { ledger, registry, lookup, finding: new Finding(lookup), drafts: new Drafts(ledger) };
    this.mention(standingProblems(ledger, null));
    const { opened } = this;
    // behind the home screen; names are found by their characters meanwhile
    void loadPinyin().then(() => opened?.finding.warm(() => this.opened === opened), () => undefined);
  }

  private async askToPersist(): Promise<void> {
    const isLasting = (await this.parts.persist?.().catch(() => false)) ?? true;
    if (!isLasting && !this.known.some((one) => one.code === "storage_temporary")) this.mention([...this.known, problem("storage_temporary")]);
  }

  lock(): void {
    if (this.now !== "ready") return;
    this.shut();
    this.become("locked");
  }

  async changePin(oldPin: string, newPin: string): Promise<UnlockResult> {
    if (this.now !== "ready" || !this.vault) throw stateError();
    checkPin(newPin);
    const { seal, result } = await this.attempt(this.vault.open(oldPin));
    if (seal) await this.attempt(this.vault.rewrap(seal, newPin));
    return result;
  }

  takeOver = async (): Promise<EngineState> => (this.now === "elsewhere" ? this.begin(true) : this.now);

  async signOut({ abandonUnsent = false, abandonPhotos = false, abandonDrafts = false }: Abandoned = {}): Promise<void> {
    if (this.now !== "ready" && this.now !== "locked") throw stateError();
    const isSafe = this.opened ? isRescued(this.opened.ledger) : await isAway(this.parts.store, this.handedN, { photos: abandonPhotos, drafts: abandonDrafts });
    if (!isSafe && !abandonUnsent) {
      throw new EngineError("unsent", { zh: "还有没上传的内容：先上传，或保存救援文件", en: "there is unsent work: synchronise, or save a rescue file" });
    }
    if (this.opened && !abandonDrafts && unfinished(this.drafts()).length) throw new EngineError("drafts", { zh: "还有没写完的", en: "something was begun and not saved" });
    await this.running?.catch(() => undefined);
    await this.attempt(this.leave());
  }

  /** Nothing stays; `reason` is set where this phone was taken out of use, and stands on the screen. */
  private async leave(reason?: string): Promise<void> {
    this.opened?.ledger.abandon();
    await this.parts.store.destroy(reason && erasedText(reason));
    this.shut();
    this.vault = null;
    this.mention(reason ? [erasedProblem(reason)] : []);
    this.become("unenrolled");
  }

  close(): void {
    this.shut();
    this.parts.turn?.release();
    this.parts.store.close();
    this.listeners.clear();
  }

  // ---------------------------------------------------------------- changes

  private changed(change: Change): void {
    const { opened } = this;
    if (!opened) return;
    if (change.reference) {
      opened.registry = new FormRegistry(change.reference.content);
      opened.lookup.rebuild(opened.registry);
      opened.finding.touch(null);
      this.emit({ name: "reference" });
      this.emit({ name: "records", ids: null });
      return;
    }
    const ids = change.entries.size || change.rows.size ? opened.lookup.follow(change) : new Set<string>();
    opened.finding.touch(ids);
    if (ids.size) this.emit({ name: "records", ids: ids.size > TOO_MANY_TO_NAME ? null : ids });
    if (change.rows.size || change.core.blobs !== this.photos) this.emit({ name: "outbox" });
    this.photos = change.core.blobs;
    if (change.rows.size || change.entries.size) this.emit({ name: "notices" });
  }

  /** What a failed change means to a person; a tab that lost its turn says so. */
  protected failed(error: unknown): unknown {
    if (error instanceof StorageFull) {
      const full = problem("storage_full");
      if (!this.known.some((one) => one.code === "storage_full")) this.mention([...this.known, full]);
      return new EngineError("storage_full", full.says, [], full);
    }
    if (error instanceof Fenced) {
      if (this.opened) this.lost();
      return new EngineError("elsewhere", { zh: "另一个页面正在使用", en: "another page is in use" });
    }
    return error instanceof SealBroken ? new EngineError("storage_broken", problem("storage_broken").says) : error;
  }

  private ready(): Opened {
    if (this.now !== "ready" || !this.opened) throw stateError();
    return this.opened;
  }

  private async attempt<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.failed(error);
    }
  }

  private async keep<T>(name: string, compute: (change: Change, opened: Opened) => T): Promise<T> {
    const opened = this.ready();
    const kept = await this.attempt(opened.ledger.change(name, (change) => compute(change, opened)));
    if (this.known.some(isRoom)) this.mention(this.known.filter((one) => !isRoom(one)));
    return kept;
  }

  // ---------------------------------------------------------------- writing

  async write(group: readonly Draft[], place?: string): Promise<Written> {
    const typed = place === undefined ? null : this.draft(place);
    return this.keep("write", (change, opened) => {
      if (typed) change.replaceDraft(typed, null);
      return new Group(deskFor(change, opened.lookup, opened.registry, this.newId, new Date(this.clock()))).write(group);
    });
  }

  async keepBlob(bytes: Uint8Array, mime: string): Promise<string> {
    return this.attempt(keepBlob(this.ready().ledger, { bytes, mime }));
  }

  dropBlob = (name: string): Promise<void> => this.attempt(dropBlob(this.ready().ledger, name));
  readBlob = async (name: string): Promise<Blob | null> => readBlob(this.ready().ledger, this.parts.store, name);

  // ---------------------------------------------------------------- agreeing

  fetch = async (path: string, headers?: Record<string, string>): Promise<Answer> => fetched(this.ready().ledger, this.parts.transport, path, headers);
  sync(onProgress?: (progress: SyncProgress) => void): Promise<SyncReport> {
    if (this.running) return this.running;
    const opened = this.ready();
    const meter: Meter = { bytesUp: 0, bytesDown: 0 };
    const line = { ledger: opened.ledger, transport: this.parts.transport, fault: this.fault, now: this.clock, appVersion: this.parts.appVersion ?? "", meter };
    const progress = (one: SyncProgress): void => {
      onProgress?.(one);
      this.emit({ name: "progress", progress: one });
    };
    const run = async (): Promise<SyncReport> => {
      try {
        const { newId, parts } = this;
        const file = (name: string): Promise<Uint8Array<ArrayBuffer> | null> => openBlob(opened.ledger, parts.store, name);
        const shown = (ids: ReadonlySet<string>): unknown[] => [...[...ids].map((id) => opened.lookup.read(id)).filter((view) => view?.life === "live"), ...opened.drafts.all()];
        const { report, problems } = await synchronise({ line, registry: () => opened.registry, newId, readBlob: file, shown, progress, pageLimit: parts.pageLimit ?? null });
        if (report.complete) await setAside(opened.ledger, parts.store).catch(() => undefined);
        else if (report.problem?.code === "no_room") await sendSealed(parts.store, parts.transport, this.clock()).catch(() => undefined); // it arrives, though this phone cannot note it
        if (report.erase) await this.leave(report.erase);
        else if (report.problem?.details?.["why"] === "fenced") {
          report.problem = null; // locked meanwhile, or another tab took over: the state says it
          if (this.opened === opened) this.lost();
        } else if (this.opened) this.mention([...problems, ...this.known.filter((one) => one.code === "storage_temporary")]);
        return report;
      } finally {
        this.running = null;
      }
    };
    this.running = run();
    return this.running;
  }

  sealedCount = (): Promise<number> => sealedCount(this.parts.store);
  async sendSealed(): Promise<SealedReport> {
    const report = await sendSealed(this.parts.store, this.parts.transport, this.clock());
    if (report.left === 0) this.handedN = Math.max(this.handedN, report.lastN); // whatever else the server said
    const isEmpty = async (): Promise<boolean> => report.erase === "lost" || isAway(this.parts.store, report.lastN, { photos: false, drafts: false });
    if (report.erase && this.now === "locked" && (await isEmpty())) await this.leave(report.erase);
    return report;
  }

  waiting = (): Promise<Waiting> => waitingOn(this.parts.store);
  exportSealed = (): Promise<Uint8Array> => sealedFile(this.parts.store);
  markSealedSaved = (): void => void (this.now === "locked" && (this.handedN = Infinity)); // nothing is written while it is locked
  sendSealedFile = (file: Uint8Array): Promise<SealedReport | null> => sendSealedFile(file, this.parts.transport, this.clock());

  async dismiss(noticeId: string): Promise<void> {
    if (noticeId === "scope_changed") {
      await this.keep("dismiss", (change) => change.patchCore({ scopeNews: null }));
      this.mention(this.known.filter((one) => one.code !== "scope_changed"));
      return;
    }
    await this.keep("dismiss", (change) => change.patchCore({ dismissed: [...change.core.dismissed, noticeId].slice(-TOO_MANY_TO_NAME) }));
    this.emit({ name: "notices" });
  }

  digests = (): Record<string, { count: number; digest: string }> => totals({ core: this.ready().ledger.core, allEntries: () => this.ready().ledger.entries.values() });

  // ---------------------------------------------------------------- rescue

  async exportRescue(passphrase: string): Promise<RescueFile> {
    const { ledger } = this.ready();
    const { held, ...rescue } = await this.attempt(exportRescue({ ledger, store: this.parts.store, passphrase, now: this.clock(), rounds: this.parts.pinRounds, room: this.parts.rescueRoom }));
    this.held = held;
    return rescue;
  }

  async markRescueSaved(): Promise<void> {
    const { held } = this;
    if (held) await this.keep("rescue: saved", (change) => noteRescued(change, held));
  }

  importRescue = async (file: Uint8Array, passphrase: string): Promise<TakenOver> => this.attempt(importRescue(this.ready().ledger, file, passphrase));
}

/** The engine of this device, in the state that it was left in. */
export async function openEngine(parts: EngineParts): Promise<Engine> {
  const engine = new DeviceEngine(parts);
  await engine.begin();
  return engine;
}
