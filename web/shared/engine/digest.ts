// Hashes that both sides compute (docs/protocol.md, section 8): version tags, and digests of streams.
import { blake2b } from "@noble/hashes/blake2.js";

export const ZERO_TAG = "0".repeat(16);
export const ZERO_DIGEST = "0".repeat(32);

const encoder = new TextEncoder();
const LANE = 0x1_0000_0000;

function hash(text: string, bytes: number): Uint8Array {
  return blake2b(encoder.encode(text), { dkLen: bytes });
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

/** Orders texts as their UTF-8 bytes: JavaScript compares UTF-16 units, which differs beyond the basic plane. */
export function byteOrder(first: string, second: string): number {
  const one = encoder.encode(first);
  const two = encoder.encode(second);
  for (let at = 0; at < one.length && at < two.length; at++) {
    const difference = (one[at] as number) - (two[at] as number);
    if (difference !== 0) return difference;
  }
  return one.length - two.length;
}

/** Tag of the version that an operation made; `previous` is `ZERO_TAG` at creation. 16 hex digits. */
export function versionTag(previous: string, opId: string, units: readonly string[]): string {
  return hex(hash([previous, opId, ...[...units].sort(byteOrder)].join("\0"), 8));
}

/** Id of a record that the server makes: `madeId("card", personId)`. */
export function madeId(kind: string, ...parts: string[]): string {
  const text = hex(hash([kind, ...parts].join("\0"), 16));
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}

/** H128 of a row as four numbers below 2^32, the least significant first. */
export type RowHash = readonly [number, number, number, number];

function rowHash(text: string): RowHash {
  const view = new DataView(hash(text, 16).buffer);
  return [view.getUint32(12), view.getUint32(8), view.getUint32(4), view.getUint32(0)];
}

/** Hash of a PUT row. */
export const recordHash = (id: string, v: number, tag: string): RowHash => rowHash(`${id}\0${v}\0${tag}`);
/** Hash of a STATUS row. */
export const statusHash = (opId: string, status: number): RowHash => rowHash(`${opId}\0${status}`);

/** A sum of row hashes modulo 2^128, without big integers: old phones add numbers much faster. */
export class Digest {
  private lanes = [0, 0, 0, 0];
  private added = 0;

  add(row: RowHash): void {
    for (let lane = 0; lane < 4; lane++) this.lanes[lane] = (this.lanes[lane] as number) + row[lane as 0];
    if (++this.added === 1_000_000) this.carry(); // below 2^53 in every lane
  }

  private carry(): void {
    let over = 0;
    for (let lane = 0; lane < 4; lane++) {
      const total = (this.lanes[lane] as number) + over;
      over = Math.floor(total / LANE);
      this.lanes[lane] = total % LANE;
    }
    this.added = 0;
  }

  /** 32 hex digits. */
  hex(): string {
    this.carry();
    return [...this.lanes].reverse().map((lane) => lane.toString(16).padStart(8, "0")).join("");
  }
}
