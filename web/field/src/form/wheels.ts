// The wheels of a day are lists to choose from: their rows come as buttons without a list, a stop of the keyboard each, which no arrow moves.

const WHEEL = ".van-picker-column__wrapper";
const PAGE = 10;
/** By how many rows a key turns a wheel. */
const TURNS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -Infinity, End: Infinity };

/** Follows the wheels below `root` as long as they stand; `names` are theirs, from the left. */
export function nameWheels(root: HTMLElement, names: readonly string[]): void {
  const name = (): void =>
    root.querySelectorAll(WHEEL).forEach((wheel, at) => {
      set(wheel, "role", "listbox");
      set(wheel, "aria-label", names[at] ?? "");
      for (const row of wheel.children) {
        const isChosen = row.classList.contains("van-picker-column__item--selected");
        set(row, "role", "option");
        set(row, "aria-selected", String(isChosen));
        set(row, "tabindex", isChosen ? "0" : "-1");
      }
    });
  name();
  root.addEventListener("keydown", turn);
  new MutationObserver(name).observe(root, { childList: true, subtree: true, attributeFilter: ["class"] }); // it goes with the wheels
}

/** Up and down turn a wheel, left and right go to the next one, Enter takes the day as the button does. */
function turn(event: KeyboardEvent): void {
  const row = (event.target as Element).closest("[role=option]");
  const wheel = row?.closest(WHEEL);
  const root = event.currentTarget as Element;
  if (!row || !wheel) return;
  if (event.key === "Enter") root.querySelector<HTMLElement>(".van-picker__confirm")?.click();
  else if (event.key in TURNS) {
    const rows = [...wheel.children] as HTMLElement[];
    const next = Math.min(rows.length - 1, Math.max(0, rows.indexOf(row as HTMLElement) + (TURNS[event.key] as number)));
    (rows[next] as HTMLElement).click();
    go(rows[next]);
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const wheels = [...root.querySelectorAll(WHEEL)];
    go(wheels[wheels.indexOf(wheel) + (event.key === "ArrowRight" ? 1 : -1)]?.querySelector("[aria-selected=true]"));
  } else return;
  event.preventDefault();
}

/** A wheel that were scrolled besides being turned would stand between two rows. */
function go(row: Element | null | undefined): void {
  (row as HTMLElement | null | undefined)?.focus({ preventScroll: true });
}

function set(one: Element, attribute: string, value: string): void {
  if (one.getAttribute(attribute) !== value) one.setAttribute(attribute, value);
}
