// Computed values over the engine's records that are made anew when a record changes.
import type { RecordView } from "@shared/engine/index.ts";
import { computed, type ComputedRef } from "vue";
import { engine, recordsTick } from "../session.ts";
import { lookAt, lookOver, type Day, type Door } from "./day.ts";
import { today } from "./today.ts";

/** A value read from records. */
export function fromRecords<T>(read: () => T): ComputedRef<T> {
  return computed(() => {
    void recordsTick.value;
    return read();
  });
}

/** One record, as it stands. */
export function useRecord(id: () => string): ComputedRef<RecordView | null> {
  return fromRecords(() => engine().read(id()));
}

/** The day's work: one pass for all screens, made when one of them looks, and anew after midnight. */
export const day: ComputedRef<Day> = fromRecords(() => {
  void today.value;
  return lookOver(Date.now());
});

/** What the day's work says of one household. */
export function useDoor(householdId: () => string): ComputedRef<Door | null> {
  return fromRecords(() => {
    void today.value;
    return lookAt(householdId(), Date.now());
  });
}
