import { expect, test, vi } from "vitest";
import { phone } from "@shared/engine/kit-cell.ts";
import { attach, sealed, sendLocked } from "./session.ts";

test("a try on a dead line that ends late does not say that what another one handed over still waits", async () => {
  const { engine } = await phone();
  attach(engine);
  engine.lock();
  let fail = (_: Error): void => undefined;
  let waits = 1;
  vi.spyOn(engine, "sealedCount").mockImplementation(async () => waits);
  vi.spyOn(engine, "sendSealed")
    .mockImplementationOnce(() => new Promise((_, reject) => (fail = reject)))
    .mockImplementationOnce(async () => ({ left: (waits = 0), problem: null }) as never);
  const first = sendLocked();
  const second = sendLocked();
  await vi.waitFor(() => expect(sealed.value).toMatchObject({ count: 1, busy: true }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  fail(new Error("the line is dead"));
  await expect(first).rejects.toThrow("dead");
  await second;
  expect(sealed.value).toMatchObject({ count: 1, sent: 1, busy: false });
});
