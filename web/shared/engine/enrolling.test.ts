import { expect, test } from "vitest";
import { openEngine } from "./engine.ts";
import { RETRY_KEY } from "./enrolling.ts";
import { device, scripted } from "./kit.ts";
import { Offline } from "./parts-types.ts";
import { memoryStore } from "./store-memory.ts";

const given = { code: "K7QF-3M9D-XW2P", label: "test phone", pin: "246810" };
const keys = (server: ReturnType<typeof scripted>): unknown[] => server.asked.filter(({ path }) => path.endsWith("/enroll")).map(({ body }) => body["retry_key"]);

test("an answer that is lost on its way is asked for with the same key, also by an app that was closed meanwhile; no other phone has it", async () => {
  const server = scripted();
  const line = { ...server, isCut: true, async request(...asked: Parameters<typeof server.request>) {
    const answer = await server.request(...asked);
    if (line.isCut) throw new Offline("cut behind the server's commit");
    return answer;
  } };
  const parts = device(line);
  const first = await openEngine(parts);
  await expect(first.enrol(given)).rejects.toMatchObject({ code: "offline" });
  await expect(first.enrol(given)).rejects.toMatchObject({ code: "offline" });
  expect(first.state()).toBe("unenrolled");
  first.close();
  line.isCut = false;
  const again = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  await again.enrol(given);
  const [key, ...more] = keys(server);
  expect(key).toMatch(/^[\w-]{43}$/);
  expect(more, "one key").toStrictEqual([key, key]);
  expect(parts.disk.blocks.has(RETRY_KEY), "forgotten with the answer").toBe(false);

  const other = scripted();
  await (await openEngine(device(other))).enrol(given);
  expect(keys(other)).not.toContain(key);
});

test("a phone without room says so before its code is used", async () => {
  const server = scripted();
  const parts = device(server);
  parts.disk.room = 10;
  const engine = await openEngine(parts);
  await expect(engine.enrol(given)).rejects.toMatchObject({ code: "storage_full" });
  expect([server.asked, engine.state(), engine.problems().map((one) => one.code)]).toStrictEqual([[], "unenrolled", ["storage_full"]]);
});

test("which program it is, is told when it enrols and whenever it looks for news", async () => {
  const server = scripted();
  const engine = await openEngine(device(server, undefined, { appVersion: "0.1.0+abcdef12" }));
  await engine.enrol(given);
  await engine.sync();
  const told = server.asked.filter(({ path }) => /enroll|pull$/.test(path)).map(({ body }) => body["app_version"]);
  expect(told).toStrictEqual(["0.1.0+abcdef12", "0.1.0+abcdef12"]);
});
