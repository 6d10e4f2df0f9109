// The cards of a list by the id of what they show, and the one that the keyboard means.
// The order of references in a list is promised by nobody: after a reload a place in it may be another card.
import { computed, ref } from "vue";

export function useCards<Card>(ids: () => readonly string[]) {
  const cards = new Map<string, Card>();
  const chosen = ref<string | null>(null);
  const place = ref(0);

  /** The id of the marked card. It stays marked wherever a reload puts it; where it is gone, the card at its place is. */
  const active = computed(() => {
    const now = ids();
    if (chosen.value !== null && now.includes(chosen.value)) return chosen.value;
    return now[Math.min(place.value, now.length - 1)] ?? null;
  });

  function keep(id: string, card: Card | null): void {
    if (card === null) cards.delete(id);
    else cards.set(id, card);
  }

  function mark(id: string): void {
    chosen.value = id;
    place.value = Math.max(0, ids().indexOf(id));
  }

  function step(by: number): void {
    const now = ids();
    const from = active.value === null ? 0 : now.indexOf(active.value);
    const next = now[Math.max(0, Math.min(now.length - 1, from + by))];
    if (next !== undefined) mark(next);
  }

  /** The marked card itself; none while it is not drawn. */
  const card = (): Card | undefined => (active.value === null ? undefined : cards.get(active.value));

  return { active, keep, mark, step, card };
}
