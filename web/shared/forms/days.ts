// The day that it is in the communities: UTC+8, without change since 1992, wherever a screen or a server stands. The twin of sync/days.py.

const CHINA_MS = 8 * 3_600_000;

const there = (ms: number): string => new Date(ms + CHINA_MS).toISOString();

/** The day at an instant in ms, as `2026-03-02`. */
export const dayAt = (ms: number): string => there(ms).slice(0, 10);

/** The minute there at an instant in ms, as `07:30`. */
export const clockAt = (ms: number): string => there(ms).slice(11, 16);

/** The instant at which day and clock there are `2026-03-02T14:05`, in ms; NaN where the text is no such moment. */
export const msAt = (moment: string): number => Date.parse(`${moment}+08:00`);
