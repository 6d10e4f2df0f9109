// The wheels of a day are lists to choose from: their rows come as buttons without a list, a stop of the keyboard each.

/** Follows the wheels below `root` as long as they stand; `names` are theirs, from the left. */
export function nameWheels(root: HTMLElement, names: readonly string[]): void {
  const name = (): void =>
    root.querySelectorAll(".van-picker-column__wrapper").forEach((wheel, at) => {
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
  new MutationObserver(name).observe(root, { childList: true, subtree: true, attributeFilter: ["class"] }); // it goes with the wheels
}

function set(one: Element, attribute: string, value: string): void {
  if (one.getAttribute(attribute) !== value) one.setAttribute(attribute, value);
}
