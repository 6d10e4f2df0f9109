// A glove taps twice. The second tap was meant for what the first one met: where that has gone, it does nothing to what has come under the finger.

/** So soon after, at a touch screen. A mouse counts its clicks itself; Android's browser does not. */
const SOON_MS = 300;
/** A finger's width. */
const NEAR_PX = 48;
/** What is tapped, whatever is drawn in it. */
const TAPPED = "button, a, label, input, select, textarea, summary, [role]";

interface Tap {
  at: number;
  x: number;
  y: number;
  on: Element;
}

const hasGone = (one: Element): boolean => !one.isConnected || one.checkVisibility?.() === false;
const isSoonAndNear = (tap: Tap, before: Tap): boolean => tap.at - before.at < SOON_MS && Math.hypot(tap.x - before.x, tap.y - before.y) < NEAR_PX;

/** From now on, the second tap of a double tap is dropped where what the first one met has gone from the page. */
export function dropSecondTaps(page: Document): void {
  let before: Tap | null = null;
  page.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || event.detail === 0) return; // a key, or the program itself
    const tap: Tap = { at: event.timeStamp, x: event.clientX, y: event.clientY, on: event.target.closest(TAPPED) ?? event.target };
    const isTouch = (event as PointerEvent).pointerType === "touch";
    if (before !== null && (event.detail > 1 || (isTouch && isSoonAndNear(tap, before))) && hasGone(before.on)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      before = { ...tap, on: before.on }; // a third one is none either
    } else before = tap;
  }, { capture: true });
}
