import { expect, test } from "vitest";
import { phone } from "./kit-cell.ts";
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
  await expect(again.signOut()).rejects.toMatchObject({ code: "drafts" });
  await again.signOut({ abandonDrafts: true });
  expect([parts.disk.blocks.size, again.drafts()]).toStrictEqual([0, []]);
});

test("of very many drafts none is dropped unasked; on a full phone that is told, and the form still has it", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  for (let at = 0; at < 63; at++) await engine.keepDraft(draft(`/new/${at}`, "沙袋"));
  expect((await restarted(parts)).drafts().map((one) => one.place)).toStrictEqual(Array.from({ length: 63 }, (_, at) => `/new/${62 - at}`));
  const last = await restarted(parts);
  parts.disk.room = 0;
  await expect(last.keepDraft(draft("/new/full", "沙袋"))).rejects.toMatchObject({ code: "storage_full" });
  expect(last.problems().map((one) => one.code)).toContain("storage_full");
  expect(last.draft("/new/full")?.content).toStrictEqual({ edits: { name: "沙袋" } });
});

test("a movement that was written is never offered again: its draft goes in the same step, wherever the phone is killed", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  await engine.write([{ kind: "create", type: "resource", id: "r1", set: { name: "沙袋", kind: "supply", quantity: 10 } }]);
  const used = { place: "/edit/r1", title: "用掉", at: "2026-01-02T03:04:05.000Z", content: { edits: { quantity: { delta: -3 } } } };
  for (const step of ["write: before commit", "write: committed"]) {
    const phone = await restarted(parts, {
      fault: (now) => {
        if (now === step) throw new Error("killed");
      },
    });
    await phone.keepDraft(used);
    await expect(phone.write([{ kind: "patch", id: "r1", set: { quantity: { delta: -3 } } }], used.place)).rejects.toThrow("killed");
    const after = await restarted(parts);
    const isWritten = step === "write: committed";
    expect([after.read("r1")?.fields["quantity"], after.draft(used.place) === null], step).toStrictEqual([isWritten ? 7 : 10, isWritten]);
  }
});

test("what was typed on while it was written stays, and what was refused keeps its draft", async () => {
  const parts = device(scripted());
  const engine = await enrolled(parts);
  const place = "/new/resource";
  await engine.keepDraft(draft(place, "沙袋"));
  await expect(engine.write([{ kind: "create", type: "resource", set: { name: 7 } }], place)).rejects.toMatchObject({ code: "invalid" });
  expect(engine.draft(place)?.content).toStrictEqual({ edits: { name: "沙袋" } });
  const writing = engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply" } }], place);
  const typed = engine.keepDraft(draft(place, "铁锹"));
  await Promise.all([writing, typed]);
  expect(engine.draft(place)?.content).toStrictEqual({ edits: { name: "铁锹" } });
  expect((await restarted(parts)).draft(place)?.content).toStrictEqual({ edits: { name: "铁锹" } });
});

test("a photo of what was given up goes with it, also where somebody was erased, and is not sent; one that anything else names stays", async () => {
  const { cell, engine, parts } = await phone();
  cell.put("p1", 1, { name: "王小明" });
  await engine.sync();
  const taken = async (letter: string): Promise<string> => engine.keepBlob(new TextEncoder().encode(letter), "image/jpeg");
  const [written, twice, alone, erased] = await Promise.all(["写", "两", "独", "删"].map(taken)) as [string, string, string, string];
  const about = (place: string, photos: string[], ids: string[] = []) => ({ ...draft(place, "甲"), about: ids, content: { edits: { photos }, touched: ["photos"] } });
  await engine.write([{ kind: "create", type: "resource", set: { name: "沙袋", kind: "supply", photos: [written] } }]);
  await engine.keepDraft(about("/new/one", [written, twice, alone]));
  await engine.keepDraft(about("/new/two", [twice]));
  await engine.keepDraft(about("/edit/p1", [erased], ["p1"]));
  const waiting = (): string[] => [...parts.disk.blocks.keys()].filter((one) => one.startsWith("b/")).map((one) => one.slice(2)).sort();
  expect(waiting()).toStrictEqual([written, twice, alone, erased].sort());
  await engine.dropDraft("/new/one");
  expect(waiting()).toStrictEqual([written, twice, erased].sort());
  cell.remove("p1", "erased", 2);
  await engine.sync();
  expect([waiting(), engine.outbox().photos]).toStrictEqual([[written, twice].sort(), 2]);
});
