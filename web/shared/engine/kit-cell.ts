// A server of one cell, for tests of the engine.
import { Digest, recordHash, statusHash } from "./digest.ts";
import { device, EMPTY_PULL, enrolled, scripted } from "./kit.ts";
import type { Engine } from "./types.ts";

export type Row = Record<string, unknown>;
export type Body = Record<string, unknown>;

/** A server of one cell that a test fills: rows in order, what it applied, its epoch. */
export class Cell {
  rows: Row[] = [];
  applied: { n: number; op_id: string | null } = { n: 0, op_id: null };
  epoch = "e1";
  streams = ["install/i1", "cell/a", "~reference"];
  version = 1;
  lies = 0;
  safeN = 0;
  skewS = 0;
  outcome = "applied";
  reason: string | null = null;
  errors: { pointer: string; code: string; message: string }[] = [];
  departures = "e1:0";
  echoed: unknown[] = [];
  seen: { n: number; op: string }[] = [];

  put(id: string, v: number, fields: Body, more: Body = {}): void {
    const record = { id, type: "person", v, tag: `${v}`.padStart(16, "0"), life: "live", form_version: 1, home: "cell/a", conflicts: [], confirmed: {}, fields, ...more };
    this.rows.push({ stream: "cell/a", seq: this.rows.length + 1, kind: "PUT", record });
  }

  remove(id: string, reason: string, v: number): void {
    this.rows.push({ stream: "cell/a", seq: this.rows.length + 1, kind: "REMOVE", reason, id, v, tag: `${v}`.padStart(16, "0") });
  }

  status(opId: string, status: number, outcome: string, reason: string | null = null, errors: Body[] = []): void {
    this.rows.push({ stream: "install/i1", seq: this.rows.length + 1, kind: "STATUS", op_id: opId, status, outcome, reason, record: null, errors });
  }

  private totals(): Body {
    const latest = new Map<string, Row>();
    for (const row of this.rows) latest.set(`${String(row["stream"])}/${String((row["record"] as Body | undefined)?.["id"] ?? row["id"] ?? row["op_id"])}`, row);
    const found: Record<string, { seq: number; count: number; digest: string }> = {};
    for (const stream of this.streams) {
      const digest = new Digest();
      let count = 0;
      for (const row of latest.values()) {
        if (row["stream"] !== stream) continue;
        const record = row["record"] as { id: string; v: number; tag: string } | undefined;
        if (row["kind"] === "PUT" && record) {
          digest.add(recordHash(record.id, record.v, record.tag));
          count += 1;
        } else if (row["kind"] === "STATUS") digest.add(statusHash(row["op_id"] as string, row["status"] as number));
      }
      found[stream] = { seq: this.rows.length, count, digest: digest.hex() };
    }
    if (this.lies-- > 0) (found["cell/a"] as { digest: string }).digest = "f".repeat(32);
    return found;
  }

  answer = (path: string, body: Body): { status?: number; body: Body } | null => {
    if (path.endsWith("/pull")) {
      const cursor = body["cursor"] as string | null;
      const again = (body["replace"] as string[] | undefined) ?? [];
      const from = cursor === null || !cursor.startsWith(this.epoch) ? 0 : Number(cursor.split("/")[1]);
      const rows = this.rows.filter((row, at) => this.streams.includes(row["stream"] as string) && (at >= from || again.includes(row["stream"] as string)));
      const scope = { version: this.version, streams: this.streams, added: [], dropped: [] };
      return { body: { ...EMPTY_PULL, epoch: this.epoch, cursor: `${this.epoch}/${this.rows.length}`, scope, rows, replace: again, streams: this.totals(), applied: this.applied, safe_n: this.safeN, departures: this.departures } };
    }
    if (path.endsWith("/push")) {
      const after = body["after"] as { n: number };
      this.echoed.push(body["departures"]);
      const common = { epoch: this.epoch, applied: this.applied, safe_n: 0, skew_s: this.skewS, receipt: "r" };
      if (after.n > this.applied.n) return { body: { ...common, results: [], expected: this.applied } };
      const ops = (body["groups"] as { ops: { n: number; op: string }[] }[]).flatMap((group) => group.ops);
      const isForeign = ops.some(({ n, op }) => n === this.applied.n && (JSON.parse(op) as { op_id: string }).op_id !== this.applied.op_id);
      if (isForeign) return { body: { ...common, results: [], expected: this.applied } };
      this.seen.push(...ops);
      const results = ops.map(({ n, op }) => {
        const { op_id: opId, id } = JSON.parse(op) as { op_id: string; id: string };
        if (n > this.applied.n) this.applied = { n, op_id: opId };
        const said = { outcome: this.outcome, reason: this.reason };
        return { n, op_id: opId, first: said, now: { ...said, status: 1 }, record: { id, v: 1, tag: "0".repeat(16) }, errors: this.errors };
      });
      return { body: { ...common, applied: this.applied, results } };
    }
    if (path.endsWith("/witness")) return { body: { kept: (body["witnesses"] as unknown[]).length } };
    return null;
  };
}

/** An enrolled phone of that server. */
export async function phone(): Promise<{ cell: Cell; engine: Engine; parts: ReturnType<typeof device>; server: ReturnType<typeof scripted> }> {
  const cell = new Cell();
  const server = scripted((path, body) => cell.answer(path, body));
  const parts = device(server);
  return { cell, server, parts, engine: await enrolled(parts) };
}
