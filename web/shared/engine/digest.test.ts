import { expect, test } from "vitest";
import { vectors } from "../vectors.ts";
import { byteOrder, Digest, madeId, recordHash, statusHash, versionTag } from "./digest.ts";

interface Vectors {
  tags: { name: string; previous: string; op_id: string; units: string[]; tag: string }[];
  streams: { name: string; records: [string, number, string][]; statuses: [string, number][]; digest: string }[];
  ids: { name: string; parts: string[]; id: string }[];
}

test("the phone computes the tags, digests and ids that the server computes", () => {
  const { tags, streams, ids } = vectors<Vectors>("digest/cases.json");
  for (const one of tags) expect(versionTag(one.previous, one.op_id, one.units)).toBe(one.tag);
  for (const one of streams) {
    const digest = new Digest();
    for (const row of one.records) digest.add(recordHash(...row));
    for (const row of one.statuses) digest.add(statusHash(...row));
    expect([one.name, digest.hex()]).toStrictEqual([one.name, one.digest]);
  }
  for (const one of ids) expect(madeId(...(one.parts as [string, ...string[]]))).toBe(one.id);
});

test("a digest does not lose bits however many rows are added, in any order", () => {
  const rows = Array.from({ length: 40 }, (_, at) => recordHash(`r${at}`, at, "0".repeat(16)));
  const [forth, back] = [new Digest(), new Digest()];
  for (const row of rows) forth.add(row);
  for (const row of [...rows].reverse()) back.add(row);
  let sum = 0n;
  for (const row of rows) sum += BigInt(row[0]) + (BigInt(row[1]) << 32n) + (BigInt(row[2]) << 64n) + (BigInt(row[3]) << 96n);
  expect(forth.hex()).toBe((sum % (1n << 128n)).toString(16).padStart(32, "0"));
  expect(back.hex()).toBe(forth.hex());
});

test("texts are ordered as their bytes", () => {
  expect(["𠮷", "ｱ", "a", "B"].sort(byteOrder)).toStrictEqual(["B", "a", "ｱ", "𠮷"]);
});
