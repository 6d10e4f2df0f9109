// Days as the community counts them, wherever the screen stands.
import { dayAt } from "@shared/forms/days.ts";

const DAY_MS = 86_400_000;

/** Today in the community, as `2026-03-02`. */
export function today(now: number = Date.now()): string {
  return dayAt(now);
}

/** The day in the community so many days ago. */
export function daysBefore(days: number, now: number = Date.now()): string {
  return today(now - days * DAY_MS);
}

/** The instants at which a day of the community begins, and at which the day after it does. */
export function boundsOf(day: string): [string, string] {
  const begins = new Date(`${day}T00:00:00+08:00`).getTime();
  return [new Date(begins).toISOString(), new Date(begins + DAY_MS).toISOString()];
}

/** The day so many days before a given one; `null` stands for today. */
export function daysBeforeDay(days: number, day: string | null): string {
  return day ? daysBefore(days, new Date(`${day}T12:00:00+08:00`).getTime()) : daysBefore(days);
}
