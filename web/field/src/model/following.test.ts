// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";
import { useFollowing } from "./following.ts";

/** The phone's own positions, as a test gives them. */
class Sky {
  private readonly watches = new Map<number, [PositionCallback, PositionErrorCallback]>();
  begun = 0;
  watchPosition = (got: PositionCallback, failed: PositionErrorCallback): number => (this.watches.set(++this.begun, [got, failed]), this.begun);
  clearWatch = (watch: number): void => void this.watches.delete(watch);
  get watched(): number {
    return this.watches.size;
  }
  fix = (longitude: number): void => this.watches.forEach(([got]) => got({ coords: { longitude, latitude: 31.3, accuracy: 8 } } as GeolocationPosition));
  fail = (code: number): void => this.watches.forEach(([, failed]) => failed({ code, PERMISSION_DENIED: 1, POSITION_UNAVAILABLE: 2, TIMEOUT: 3 } as GeolocationPositionError));
}
const [REFUSED, UNAVAILABLE, TIMEOUT] = [1, 2, 3];
let sky: Sky;
let screen: EffectScope;
const told: number[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-03-02T01:00:00Z") });
  Object.defineProperty(navigator, "geolocation", { value: (sky = new Sky()), configurable: true });
  screen = effectScope();
  told.length = 0;
});
afterEach(() => {
  screen.stop();
  vi.useRealTimers();
});
const following = (): ReturnType<typeof useFollowing> => screen.run(() => useFollowing((fix) => void told.push(fix.lon))) as ReturnType<typeof useFollowing>;

test("beside a position that was received nobody is told that none was: after a minute without a signal it says how old it is, and the next one stands without a word", () => {
  const { fix, said, follow } = following();
  expect(said.value).toBeNull();
  follow();
  expect(said.value).toMatchObject({ key: "find.looking", isTrouble: false });
  sky.fix(120.61);
  expect([said.value, fix.value?.lon]).toStrictEqual([null, 120.61]);
  for (const code of [TIMEOUT, UNAVAILABLE]) {
    sky.fail(code);
    expect([said.value, fix.value?.lon]).toStrictEqual([null, 120.61]);
  }
  vi.advanceTimersByTime(3 * 60_000);
  expect(said.value).toStrictEqual({ key: "find.gps.before", minutes: 3, isTrouble: true });
  sky.fix(120.62);
  expect([said.value, fix.value?.lon, told]).toStrictEqual([null, 120.62, [120.61, 120.62]]);
  vi.advanceTimersByTime(3 * 60_000);
  expect(said.value, "whoever stands still is sent nothing").toBeNull();
  follow();
  expect([told.at(-1), sky.begun], "the map goes there again").toStrictEqual([120.62, 1]);
  screen.stop();
  expect(sky.watched, "the phone's battery is left alone afterwards").toBe(0);
});

test("where nothing was received it says so, and asking again looks anew, also once it was allowed", () => {
  const { said, follow } = following();
  for (const [code, key] of [[TIMEOUT, "find.gps.silent"], [REFUSED, "find.gps.refused"]] as const) {
    follow();
    expect(said.value?.key).toBe("find.looking");
    sky.fail(code);
    expect(said.value).toMatchObject({ key, isTrouble: true });
  }
  follow();
  expect([sky.begun, sky.watched]).toStrictEqual([3, 1]);
  sky.fix(120.61);
  expect([said.value, told]).toStrictEqual([null, [120.61]]);
});
