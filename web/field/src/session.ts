// The one engine of this window, and what of it the screens watch. Reading is from the engine; these say when to look again.
import type { Engine, EngineState, Notice, Outbox, Problem, Reference, SyncProgress, SyncReport } from "@shared/engine/index.ts";
import { computed, markRaw, ref, shallowRef } from "vue";
import { Pace } from "./pace.ts";
import { sendLater } from "./sending.ts";

const NO_OUTBOX: Outbox = { unsent: 0, records: 0, oldestClaimedAt: null, lastSyncAt: null, waiting: 0, photos: 0 };

let held: Engine | null = null;
/** Counts changes of records; a computed value that reads records reads this first. */
export const recordsTick = ref(0);
export const state = ref<EngineState | "opening">("opening");
export const outbox = shallowRef<Outbox>(NO_OUTBOX);
export const notices = shallowRef<readonly Notice[]>([]);
export const problems = shallowRef<readonly Problem[]>([]);
export const reference = shallowRef<Reference | null>(null);
export const progress = shallowRef<SyncProgress | null>(null);
export const syncing = ref(false);
export const lastReport = shallowRef<SyncReport | null>(null);
/** What stopped the last synchronisation, until the next one says otherwise. */
export const stopped = computed(() => (syncing.value ? null : (lastReport.value?.problem ?? null)));
/** What the home screen kept of itself, while the records are being opened. */
export const glanced = shallowRef<unknown>(null);
/** The network as the browser tells it: a hint only. */
export const online = ref(typeof navigator === "undefined" || navigator.onLine);

let typedAt = -Infinity;
/** When it is sent without being asked for. */
const pace = new Pace({
  now: () => performance.now(),
  random: Math.random,
  later: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  able: () => online.value && ["locked", "ready"].includes(state.value),
  typedAt: () => typedAt,
  run: () => (state.value === "ready" ? synchronise() : sendLocked()),
});

/** What needs this person: a stop, or a notice that asks for an answer. */
export const needsMe = computed(
  () => problems.value.filter((one) => one.severity === "stop").length + notices.value.filter((one) => one.needsMe).length,
);

/** The engine; the screens are only drawn after `attach`. */
export function engine(): Engine {
  if (held === null) throw new Error("no engine is open");
  return held;
}

/** Watch an engine from now on. */
export function attach(opened: Engine): void {
  held = markRaw(opened);
  opened.on((event) => {
    if (event.name === "state") {
      lookAgain();
      if (event.state === "ready") pace.opened();
    } else if (event.name === "records") recordsTick.value += 1;
    else if (event.name === "outbox") {
      const before = outbox.value.unsent;
      outbox.value = opened.outbox();
      if (outbox.value.unsent > before) pace.wrote();
    }
    else if (event.name === "notices") notices.value = opened.notices();
    else if (event.name === "problems") problems.value = [...opened.problems()];
    else if (event.name === "reference") reference.value = opened.reference();
    else if (event.name === "progress") progress.value = event.progress;
    else if (event.name === "glance") {
      glanced.value = opened.glance();
      outbox.value = opened.outbox();
      reference.value = opened.reference();
    }
  });
  lookAgain();
}

function lookAgain(): void {
  const opened = engine();
  state.value = opened.state();
  glanced.value = opened.glance();
  problems.value = [...opened.problems()];
  outbox.value = state.value === "ready" ? opened.outbox() : NO_OUTBOX;
  notices.value = state.value === "ready" ? opened.notices() : [];
  reference.value = state.value === "ready" ? opened.reference() : null;
  recordsTick.value += 1;
}

/** What a locked phone says, because nothing more leaves it: the rest passes, or goes once the PIN was given. */
const STOPS_LOCKED: ReadonlySet<string> = new Set(["leaving", "revoked", "token_refused", "role_refused", "version_old"]);
/** Without the PIN: hand over what lies sealed to the server; how much there is and how much of it arrived. */
export const sealed = shallowRef<{ count: number; sent: number; busy: boolean; stop: Problem | null }>({ count: 0, sent: 0, busy: false, stop: null });
let handing: Promise<void> = Promise.resolve();
/** One after the other: a try that began on a dead line says nothing any more once another one has handed everything over. */
export function sendLocked(): Promise<void> {
  handing = handing.catch(() => undefined).then(handOver);
  return handing;
}
async function handOver(): Promise<void> {
  const count = await engine().sealedCount();
  sealed.value = { count, sent: 0, busy: count > 0 && online.value, stop: null };
  if (!online.value) return;
  let left = count;
  let problem: Problem | null = null;
  try {
    // with nothing to send it is still asked whether this phone is in use: a lost one erases itself without its PIN
    ({ left, problem } = await engine().sendSealed());
    pace.tried({ problem: left > 0 ? problem : null, left: false });
  } finally {
    sealed.value = { count, sent: count - left, busy: false, stop: problem && STOPS_LOCKED.has(problem.code) ? problem : null };
  }
}

/** Send and receive once. Never throws; what stopped it is in the report and on the screen. */
export async function synchronise(): Promise<SyncReport | null> {
  if (syncing.value) return null;
  syncing.value = true;
  progress.value = null;
  try {
    const report = await engine().sync((step) => (progress.value = step));
    lastReport.value = report;
    pace.tried({ problem: report.problem, left: report.unsentLeft > 0 });
    return report;
  } finally {
    syncing.value = false;
    progress.value = null;
    // records tell their own changes: a screen that is being read or typed into is not drawn anew for nothing
    if (engine().state() === "ready") {
      outbox.value = engine().outbox();
      notices.value = engine().notices();
      problems.value = [...engine().problems()];
    }
  }
}

if (typeof window !== "undefined") {
  window.addEventListener("online", () => {
    online.value = true;
    pace.online();
  });
  window.addEventListener("offline", () => (online.value = false));
  document.addEventListener("visibilitychange", () => {
    // locked, what waits is known by its envelopes only
    const waits = outbox.value.unsent > 0 || (state.value === "locked" && sealed.value.sent < sealed.value.count);
    if (document.visibilityState === "visible") pace.seen(waits);
    else if (waits) void sendLater();
  });
  for (const typing of ["input", "keydown", "compositionupdate"]) window.addEventListener(typing, () => (typedAt = performance.now()), { capture: true, passive: true });
}
