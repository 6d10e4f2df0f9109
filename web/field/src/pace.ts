// When the phone sends and receives by itself: once the PIN was given, in front again, online again, half a minute after the last
// entry; after a failure ever more rarely, and never at the moment that every other phone does. Without a screen and without a clock of its own.
import type { Problem } from "@shared/engine/index.ts";

/** Entries of one household go together. */
const REST_MS = 30_000;
/** Who writes without a rest is not kept waiting for ever. */
const LONGEST_REST_MS = 180_000;
/** Looked at again when the app comes to the front, but not at every glance. */
const STALE_MS = 120_000;
const SETTLE_MS = 1_500;
const TYPING_MS = 4_000;
const FIRST_RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 900_000;

/** What a try came to: what stopped it, and whether something still waits to be sent. */
export interface Tried {
  problem: Pick<Problem, "code" | "severity" | "retryAfterS"> | null;
  left: boolean;
}
/** A failure that nobody has a word for: tried again like any other. */
const UNKNOWN: Tried = { problem: { code: "busy", severity: "wait" }, left: true };

/** The world around it. */
export interface PaceDesk {
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** Calls back after so many ms; returns what takes that back. */
  later(ms: number, run: () => void): () => void;
  /** There may be a network, and something to try with. */
  able(): boolean;
  /** When somebody last typed. */
  typedAt(): number;
  /** One try, none where one is under way already. Whoever tries tells it to `tried`. */
  run(): Promise<unknown>;
}

/** When the next try is due. */
export class Pace {
  private cancel: (() => void) | null = null;
  private due = Infinity;
  private firstWrite = 0;
  private failures = 0;
  private lastTry = -Infinity;
  private running = false;

  constructor(private readonly desk: PaceDesk) {}

  /** Something was written. */
  wrote(): void {
    const now = this.desk.now();
    this.firstWrite ||= now;
    if (this.failures > 0 && this.cancel) return; // a try is due already
    this.at(Math.min(now + REST_MS, this.firstWrite + LONGEST_REST_MS));
  }

  /** The PIN was given: as soon as the first screen stands. */
  opened(): void {
    this.failures = 0;
    this.at(this.desk.now() + SETTLE_MS);
  }

  /** The network is back: what stood in the way has gone. */
  online(): void {
    this.failures = 0;
    this.at(this.desk.now());
  }

  /** The app is in front again. */
  seen(hasUnsent: boolean): void {
    const now = this.desk.now();
    if (hasUnsent || now - this.lastTry > STALE_MS || now < this.lastTry) this.at(now);
    else if (this.cancel) this.at(this.due); // timers of an app out of sight stand still
  }

  /** What a try came to, also one that somebody asked for. */
  tried({ problem, left }: Tried): void {
    this.lastTry = this.desk.now();
    this.firstWrite = 0;
    this.stop();
    if (problem === null || problem.severity === "warn") {
      this.failures = 0;
      if (left) this.wrote(); // written meanwhile
      return;
    }
    // what only a person can solve is tried again when the app is next opened or seen; a phone that leaves goes on handing over
    if (problem.severity === "stop" && problem.code !== "leaving") return;
    this.failures += 1;
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.failures - 1, 10));
    this.at(this.lastTry + Math.max(wait * (0.5 + this.desk.random() / 2), (problem.retryAfterS ?? 0) * 1000));
  }

  /** Nothing is due any more. */
  stop(): void {
    this.cancel?.();
    this.cancel = null;
    this.due = Infinity;
  }

  private at(when: number): void {
    this.stop();
    this.due = when;
    this.cancel = this.desk.later(Math.max(0, when - this.desk.now()), () => void this.go());
  }

  private async go(): Promise<void> {
    this.stop();
    if (this.running || !this.desk.able()) return; // coming to the front and the network coming back ask again
    const rested = this.desk.now() - this.desk.typedAt();
    if (rested >= 0 && rested < TYPING_MS) {
      this.at(this.desk.now() + TYPING_MS - rested);
      return;
    }
    this.running = true;
    try {
      await this.desk.run();
    } catch {
      this.tried(UNKNOWN);
    } finally {
      this.running = false;
    }
  }
}
