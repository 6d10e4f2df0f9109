// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { problem } from "@shared/engine/words.ts";
import { drawn, soon } from "../kit-screens.ts";
import { sendLocked } from "../session.ts";

const HOUR_MS = 3_600_000;
afterEach(() => void vi.useRealTimers());

test("who tries PINs until it locks reads what to do, and no PIN is asked for any more; what was written can still leave", async () => {
  vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
  const { engine, says, buttons, tap, close } = await drawn(({ engine }) => engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }]));
  engine.lock();
  await says("请输入密码");
  for (let tries = 0; tries < 9; tries += 1) {
    expect(await engine.unlock("999111")).toMatchObject({ ok: false, looked: true, lockedOut: false });
    vi.setSystemTime(Date.now() + HOUR_MS);
  }
  for (const digit of "999111") await tap(digit);
  await says("试的次数太多，已锁住。");
  expect(buttons("1")).toStrictEqual([]);
  await soon(() => expect(buttons("清空本机，重新登记").length + buttons("存成文件").length).toBeGreaterThan(0));
  vi.setSystemTime(Date.now() + HOUR_MS);
  expect(await engine.unlock("246810")).toMatchObject({ ok: false, looked: false, lockedOut: true });
  close();
});

test("a locked phone whose work the server does not take any more says so, and what to do", async () => {
  for (const [code, words] of [["token_refused", "服务器不认这台手机的登记"], ["role_refused", "这个账号不能用手机采集"], ["version_old", "程序版本太旧"]] as const) {
    const { engine, says, close } = await drawn();
    engine.lock();
    await says("请输入密码");
    vi.spyOn(engine, "sendSealed").mockResolvedValue({ sent: 0, left: 1, lastN: 0, problem: problem(code), erase: null });
    await sendLocked();
    await says(words);
    close();
  }
});
