// For tests: an engine in memory with a scripted server.

import { builtInForms } from "../vectors.ts";
import { openEngine } from "./engine.ts";
import { MemoryDisk, memoryStore } from "./store-memory.ts";
import { Offline, type Answer, type EngineParts, type Transport } from "./parts-types.ts";
import type { Engine } from "./types.ts";

type Handler = (path: string, body: Record<string, unknown>) => { status?: number; body: Record<string, unknown>; headers?: Record<string, string> } | null;

export const REFERENCE = {
  community: { community_id: "c1", code: "999999001001", name: "测试社区" },
  ...builtInForms(),
  edition: null,
  cells: { type: "FeatureCollection", features: [] },
  assignments: [],
};

export const EMPTY_PULL = {
  epoch: "e1",
  cursor: "k1",
  complete: true,
  scope: { version: 1, streams: ["install/i1", "cell/a", "~reference"], added: [], dropped: [] },
  replace: [],
  rows: [],
  streams: {},
  applied: { n: 0, op_id: null },
  safe_n: 0,
};

/** A server that answers what a test scripts, and the usual where the script says null. */
export function scripted(
  handler: Handler = () => null,
): Transport & { asked: { path: string; body: Record<string, unknown>; token?: string }[]; isOffline: boolean } {
  const transport = {
    asked: [] as { path: string; body: Record<string, unknown>; token?: string }[],
    isOffline: false,
    async request(_method: string, path: string, { body, token }: { body?: unknown; token?: string }): Promise<Answer> {
      if (transport.isOffline) throw new Offline("no network");
      const sent = (body ?? {}) as Record<string, unknown>;
      transport.asked.push({ path, body: sent, ...(token === undefined ? {} : { token }) });
      const said = handler(path, sent) ?? usual(path);
      return { status: said.status ?? 200, headers: said.headers ?? {}, body: said.body, bytesDown: 1, bytesUp: 1 };
    },
  };
  return transport;
}

function usual(path: string): { status?: number; body: Record<string, unknown>; headers?: Record<string, string> } {
  if (path.endsWith("/enroll")) {
    const user = { user_id: "u1", name: "网格员", role: "grid_worker" };
    return { status: 201, body: { community_id: "c1", install_id: "i1", device_token: "t", user, protocol: 1 } };
  }
  if (path.endsWith("/config")) return { body: { protocol: 1, min_protocol: 1, epoch: "e1", limits: { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 } } };
  if (path.endsWith("/reference")) return { body: REFERENCE };
  if (path.endsWith("/pull")) return { body: EMPTY_PULL };
  return { status: 503, body: {} };
}

/** Parts of a device whose "disk" outlives its engines. */
export function device(transport: Transport, disk = new MemoryDisk(), more: Partial<EngineParts> = {}): EngineParts & { disk: MemoryDisk } {
  return { store: memoryStore(disk), transport, pinRounds: 10, disk, ...more };
}

/** An enrolled engine with its forms. */
export async function enrolled(parts: EngineParts): Promise<Engine> {
  const engine = await openEngine(parts);
  await engine.enrol({ code: "K7QF-3M9D-XW2P", label: "test phone", pin: "246810" });
  await engine.sync();
  return engine;
}

/** The same device after a restart. */
export async function restarted(parts: EngineParts & { disk: MemoryDisk }, more: Partial<EngineParts> = {}): Promise<Engine> {
  const engine = await openEngine({ ...parts, ...more, store: memoryStore(parts.disk) });
  await engine.unlock("246810");
  return engine;
}
