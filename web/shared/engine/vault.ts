// The PIN: what stands in the clear beside the sealed blocks. Wrong PINs slow down, then lock.

import { StorageFull, type BlockStore } from "./parts-types.ts";
import { keepAbout } from "./reserve.ts";
import { Seal, type WrappedKey } from "./sealing.ts";
import { EngineError, type UnlockResult } from "./types.ts";

const FREE_TRIES = 3;
const MOST_TRIES = 10;
const FIRST_WAIT_S = 15;
const LONGEST_WAIT_S = 3600;
/** So long a try takes that a phone without any room cannot count: a restart would forget it. */
const UNCOUNTED_MS = 5000;

/** How long the next try is not looked at after so many wrong ones. */
const waitMs = (wrong: number): number => (wrong < FREE_TRIES ? 0 : Math.min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (wrong - FREE_TRIES)) * 1000);

/** Throws EngineError for what is no PIN. */
export function checkPin(pin: string): void {
  if (!/^\S{4,64}$/.test(pin)) throw new EngineError("passphrase", { zh: "密码至少 4 位", en: "a PIN has four characters or more" });
}

/** In the clear: nothing here is about a person. */
export interface About {
  format: 1;
  key: WrappedKey;
  wrong: number;
  /** The device's time before which no try is looked at. */
  waitUntil: number;
  /** The time of the last try: a clock that shows an earlier one was set back, which does not shorten the wait. */
  seen: number;
}

/** Whose key it is, and how often it was tried. */
export class Vault {
  constructor(
    private readonly store: BlockStore,
    private readonly now: () => number,
    private readonly rounds: number | undefined,
    public about: About,
    private readonly wait: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  ) {}

  /** The last state of the PIN is in memory only: the phone is full. */
  isFull = false;

  static async fresh(store: BlockStore, now: () => number, rounds: number | undefined, seal: Seal, pin: string): Promise<Vault> {
    return new Vault(store, now, rounds, { format: 1, key: await seal.wrap(pin, rounds), wrong: 0, waitUntil: 0, seen: now() });
  }

  text(): string {
    return JSON.stringify(this.about);
  }

  /** How it stands with trying, before anything was typed. */
  tries = (): UnlockResult => this.result(false, false);

  private result(ok: boolean, looked = true): UnlockResult {
    const { wrong, waitUntil, seen } = this.about;
    const waitS = Math.max(0, Math.ceil((waitUntil - Math.max(this.now(), seen)) / 1000));
    return { ok, looked, triesLeft: Math.max(0, MOST_TRIES - wrong), waitS: ok ? 0 : waitS, lockedOut: wrong >= MOST_TRIES };
  }

  /** A clock that was set back, be it to the right time, begins the wait anew: it is not shorter, and it ends. */
  private async follow(): Promise<void> {
    const now = this.now();
    if (now >= this.about.seen) return;
    await this.keep({ ...this.about, waitUntil: this.about.waitUntil > 0 ? now + waitMs(this.about.wrong) : 0, seen: now });
  }

  /** The seal behind a PIN. A try is counted before it is looked at, so that a kill does not give one for free. */
  async open(pin: string): Promise<{ seal: Seal | null; result: UnlockResult }> {
    await this.follow();
    const now = this.now();
    if (this.about.wrong >= MOST_TRIES || now < this.about.waitUntil) return { seal: null, result: this.tries() };
    const wrong = this.about.wrong + 1;
    await this.keep({ ...this.about, wrong, waitUntil: now + waitMs(wrong), seen: now });
    if (this.isFull) await this.wait(UNCOUNTED_MS);
    const seal = await Seal.unwrap(this.about.key, pin);
    if (seal) await this.keep({ ...this.about, wrong: 0, waitUntil: 0 });
    return { seal, result: this.result(seal !== null) };
  }

  async rewrap(seal: Seal, pin: string): Promise<void> {
    const about = { ...this.about, key: await seal.wrap(pin, this.rounds) };
    if (!(await keepAbout(this.store, JSON.stringify(about)))) throw new StorageFull("no room for another PIN");
    this.about = about;
  }

  private async keep(about: About): Promise<void> {
    this.isFull = !(await keepAbout(this.store, JSON.stringify(about)));
    this.about = about;
  }
}
