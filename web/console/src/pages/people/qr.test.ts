// Squares that a phone's camera reads: compared with the codes that an independent encoder makes (as hashes of their modules).
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { qrModules } from "./qr.ts";

const KNOWN: [text: string, size: number, sha256: string][] = [
  ["HELLO", 21, "3e46edc4531321e7fd0376f170a34f7401b798e06a75c1eef7fcc77744552966"],
  ["https://dishu.example.cn/field/#/enrol?code=4JNS-SY1J-Y1AV", 33, "b0e1a6f62a15ba556329c8b4c017a2c3e993383e88ac3e8af611783b5184365a"],
  ["a".repeat(100), 41, "b8e8c456f1c7e7f0bdec74170d8682c6af16d29c6a9c9e27707e1e6f26422f45"],
  ["b".repeat(150), 49, "901259138c604835b53ba622af0f8ca6def207fe3ad3d127b907d107759e9e29"],
  ["c".repeat(175), 53, "0d55bea515d3b052e460fdcde256d754c270574a2652ba1bdd25139969b60e57"],
  ["c".repeat(210), 57, "32e8a7b12517e0312bf6d93895056b489b0e0ce8bc5cfaf5b650acc88f1d84c2"],
  ["c".repeat(410), 77, "58585788b10d4271caf190c295c90f9e436d84d547f408096deb49ad0b646cce"],
  ["c".repeat(660), 97, "5d243a6605cb1adfbd3a68706b08da615750945fb76225faf522acb3be545b06"],
];

describe("QR codes", () => {
  it.each(KNOWN)("are what other encoders make of %s", (text, size, sha256) => {
    const grid = qrModules(text)!;
    expect(grid.length).toBe(size);
    expect(createHash("sha256").update(grid.flat().map(Number).join("")).digest("hex")).toBe(sha256);
  });

  it("are not made of what does not fit", () => {
    expect(qrModules("x".repeat(667))).toBeNull();
  });
});
