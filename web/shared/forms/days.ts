// The day that it is in the communities: UTC+8, without change since 1992, wherever a screen or a server stands. The twin of sync/days.py.

const CHINA_MS = 8 * 3_600_000;

/** The day at an instant in ms, as `2026-03-02`. */
export const dayAt = (ms: number): string => new Date(ms + CHINA_MS).toISOString().slice(0, 10);

/** The minute there at an instant in ms, as `07:30`. */
export const clockAt = (ms: number): string => new Date(ms + CHINA_MS).toISOString().slice(11, 16);
