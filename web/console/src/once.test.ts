import { expect, test } from "vitest";
import { useOnce } from "./once.ts";

test("a second tap while the first is under way writes nothing, and what failed may be tried again", async () => {
  const { busy, once } = useOnce();
  let [written, done] = [0, () => {}];
  const write = () => (written++, new Promise<void>((go) => (done = go)));
  const first = once(write);
  await once(write);
  expect([written, busy.value]).toEqual([1, true]);
  done();
  await first;
  await once(() => Promise.reject(new Error("no"))).catch(() => undefined);
  expect(busy.value).toBe(false);
  void once(write);
  expect(written).toBe(2);
});
