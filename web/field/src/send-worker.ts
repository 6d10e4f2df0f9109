// Runs in the service worker: hands the sealed outbox over when there is a network again, with the app closed or locked.
// It reads and sends; what became of it is asked openly once the PIN was given.
import { phoneStore } from "@shared/engine/browser.ts";
import { sendSealed } from "@shared/engine/sealed-outbox.ts";
import { httpTransport } from "@shared/engine/transport.ts";
import { eraseEmptied } from "@shared/engine/waiting.ts";
import { SEND_TAG, STORE } from "./sending.ts";

interface SyncEvent extends Event {
  readonly tag: string;
  waitUntil(work: Promise<unknown>): void;
}

async function send(): Promise<void> {
  const store = phoneStore(STORE);
  try {
    const report = await sendSealed(store, httpTransport(""), Date.now());
    if (await eraseEmptied(store, report)) return; // an open page hears of it by its next write
    const { left, problem } = report;
    // the browser tries again later; what only a person can solve waits for the person
    if (left > 0 && problem?.severity === "wait") throw new Error(problem.code);
  } finally {
    store.close();
  }
}

addEventListener("sync", (event) => {
  const asked = event as SyncEvent;
  if (asked.tag === SEND_TAG) asked.waitUntil(send());
});
