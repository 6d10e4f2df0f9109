import { expect, test } from "vitest";
import { device, enrolled, restarted, scripted } from "./kit.ts";

const draft = (place: string, name: string) => ({ place, title: "新增人员", at: "2026-01-02T03:04:05.000Z", content: { edits: { name } } });
const text = (parts: ReturnType<typeof device>): string => [...parts.disk.blocks.values()].map((block) => new TextDecoder().decode(block)).join("");

test("what was typed and not saved is there after a kill, sealed, the last one first, until it is saved or given up", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  await engine.keepDraft(draft("/household/h1/member", "王吕氏"));
  await engine.keepDraft(draft("/new/resource", "沙袋"));
  void engine.keepDraft(draft("/household/h1/member", "王吕"));
  expect(engine.draft("/household/h1/member")?.content).toStrictEqual({ edits: { name: "王吕" } });
  await engine.keepDraft(draft("/household/h1/member", "王吕氏"));
  expect(text(parts)).not.toContain("王吕");
  const again = await restarted(parts);
  expect(again.drafts().map((one) => one.place)).toStrictEqual(["/household/h1/member", "/new/resource"]);
  expect(again.draft("/household/h1/member")).toStrictEqual(draft("/household/h1/member", "王吕氏"));
  await again.dropDraft("/household/h1/member");
  await again.dropDraft("/new/resource");
  await again.dropDraft("/nowhere");
  expect((await restarted(parts)).drafts()).toStrictEqual([]);
  expect(parts.disk.blocks.has("drafts")).toBe(false);
});

test("drafts are behind the PIN, go with everything else, and a damaged block keeps nobody out", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  await engine.keepDraft(draft("/new/resource", "沙袋"));
  engine.lock();
  expect([engine.drafts(), engine.draft("/new/resource")]).toStrictEqual([[], null]);
  parts.disk.blocks.set("drafts", new Uint8Array(40));
  const again = await restarted(parts);
  expect(again.drafts()).toStrictEqual([]);
  await again.keepDraft(draft("/new/resource", "沙袋"));
  await again.signOut();
  expect([parts.disk.blocks.size, again.drafts()]).toStrictEqual([0, []]);
});

test("of very many drafts the latest twenty are kept; on a full phone that is told, and the form still has it", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  for (let at = 0; at < 23; at++) await engine.keepDraft(draft(`/new/${at}`, "沙袋"));
  expect((await restarted(parts)).drafts().map((one) => one.place)).toStrictEqual(Array.from({ length: 20 }, (_, at) => `/new/${22 - at}`));
  const last = await restarted(parts);
  parts.disk.room = 0;
  await expect(last.keepDraft(draft("/new/full", "沙袋"))).rejects.toMatchObject({ code: "storage_full" });
  expect(last.problems().map((one) => one.code)).toContain("storage_full");
  expect(last.draft("/new/full")?.content).toStrictEqual({ edits: { name: "沙袋" } });
});
