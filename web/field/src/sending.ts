// Sending in the background: asked for when the app goes out of sight with work unsent.

/** Where the app keeps its blocks, and what the browser calls the task. */
export const STORE = "dishu-field";
export const SEND_TAG = "dishu-send";

interface Syncing {
  sync?: { register(tag: string): Promise<void> };
}

/** Ask the browser to send what waits as soon as there is a network. Where it cannot, the app sends at its next start. */
export async function sendLater(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const registration = (await navigator.serviceWorker.getRegistration("/field/")) as (ServiceWorkerRegistration & Syncing) | undefined;
  await registration?.sync?.register(SEND_TAG).catch(() => undefined);
}
