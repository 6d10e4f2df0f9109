import { shallowRef } from "vue";
import { describe, expect, test } from "vitest";
import { useCards } from "./cards.ts";

function desk(...ids: string[]) {
  const rows = shallowRef(ids);
  const cards = useCards<string>(() => rows.value);
  // Drawn in whatever order: here the last first.
  const draw = (now: string[]) => {
    for (const id of rows.value) if (!now.includes(id)) cards.keep(id, null);
    rows.value = now;
    for (const id of [...now].reverse()) cards.keep(id, `card of ${id}`);
  };
  draw(ids);
  return { cards, draw };
}

describe("a key settles the card that is marked", () => {
  test("whatever order the cards were drawn in", () => {
    const { cards } = desk("a", "b", "c");
    expect(cards.card()).toBe("card of a");
    cards.step(1);
    expect([cards.active.value, cards.card()]).toEqual(["b", "card of b"]);
  });

  test("and stays with it when a reload puts others before it", () => {
    const { cards, draw } = desk("a", "b", "c");
    cards.mark("b");
    draw(["new", "c", "b"]);
    expect([cards.active.value, cards.card()]).toEqual(["b", "card of b"]);
  });

  test("once it is settled, the one that takes its place is marked; behind the last there is none", () => {
    const { cards, draw } = desk("a", "b", "c");
    cards.mark("b");
    draw(["a", "c"]);
    expect(cards.card()).toBe("card of c");
    draw(["a"]);
    expect(cards.card()).toBe("card of a");
    draw([]);
    expect([cards.active.value, cards.card()]).toEqual([null, undefined]);
  });

  test("the arrows stop at both ends", () => {
    const { cards } = desk("a", "b");
    cards.step(-1);
    expect(cards.active.value).toBe("a");
    cards.step(1);
    cards.step(1);
    expect(cards.active.value).toBe("b");
  });
});
