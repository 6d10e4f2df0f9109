// Nobody has used the app for a while, or it lies behind another one: it locks itself. A phone that was left on a wall shows nothing.

/** So long nobody touches it, in sight or not. */
export const LOCK_AFTER_MS = 5 * 60_000;
const LOOK_MS = 15_000;

/** The two clocks of a phone: one stands still while the phone sleeps, the other may be put right by anybody. */
export interface Clocks {
  steady(): number;
  day(): number;
}

/** For how long nothing was done. */
export class Idle {
  private steady = 0;
  private day = 0;

  constructor(private readonly clocks: Clocks) {
    this.used();
  }

  /** Somebody does something. */
  used(): void {
    this.steady = this.clocks.steady();
    this.day = this.clocks.day();
  }

  /** The longer one of what both clocks say. */
  ms(): number {
    return Math.max(this.clocks.steady() - this.steady, this.clocks.day() - this.day);
  }
}

/** Lock by `lock` once nobody has used the app for so long; `busy`: something is under way that must not be cut off. What is typed and not saved is kept sealed (form/unsaved.ts). */
export function lockWhenIdle({ lock, busy }: { lock: () => void; busy: () => boolean }): void {
  const idle = new Idle({ steady: () => performance.now(), day: () => Date.now() });
  const look = (): void => {
    if (idle.ms() >= LOCK_AFTER_MS && !busy()) lock();
  };
  for (const use of ["pointerdown", "keydown", "input", "wheel", "touchmove"]) window.addEventListener(use, () => idle.used(), { capture: true, passive: true });
  window.setInterval(look, LOOK_MS);
  // a phone that slept: before anybody sees the screen again
  document.addEventListener("visibilitychange", look);
}
