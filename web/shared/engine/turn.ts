// Only one tab works at a time. Web Locks tell the others at once; the fence of the store holds even without them.

import type { Turn } from "./parts-types.ts";

/** The lock of this name in the browser. Where there are no Web Locks the newest opener has the turn. */
export function webLocks(name: string): Turn {
  let free: (() => void) | null = null;
  return {
    take({ steal, lost }) {
      if (typeof navigator === "undefined" || !navigator.locks) return Promise.resolve(true);
      return new Promise<boolean>((resolve) => {
        let isHeld = false;
        const held = navigator.locks.request(name, steal ? { steal: true } : { ifAvailable: true }, (lock) => {
          if (lock === null) {
            resolve(false);
            return undefined;
          }
          isHeld = true;
          resolve(true);
          return new Promise<void>((release) => {
            free = release;
          });
        });
        // a browser that lets this site keep nothing has no locks for it either: nobody else has the turn, and the store says what is wrong
        held.catch((error: Error) => (isHeld ? lost() : resolve(error.name === "SecurityError")));
      });
    },
    release() {
      free?.();
      free = null;
    },
  };
}
