import { expect, test } from "vitest";
import { vectors } from "../vectors.ts";
import { sealEnvelope, toBytes, toText } from "./envelope.ts";
import { device, enrolled, REFERENCE, restarted, scripted } from "./kit.ts";
import { openEngine } from "./engine.ts";
import { memoryStore } from "./store-memory.ts";
import type { Engine } from "./types.ts";

interface Cases {
  server_public_key: string;
  cases: { name: string; install_id: string; first_n: number; last_n: number; ephemeral_private: string; ephemeral_public: string; plain: string; envelope: string }[];
}
const VECTORS = vectors<Cases>("envelope/cases.json");

async function pairOf(secret: string, point: string): Promise<CryptoKeyPair> {
  const d = toText(Uint8Array.from(secret.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
  const raw = toBytes(point);
  const how = { name: "ECDH", namedCurve: "P-256" };
  const jwk = { kty: "EC", crv: "P-256", x: toText(raw.slice(1, 33)), y: toText(raw.slice(33)), ext: true };
  const privateKey = await crypto.subtle.importKey("jwk", { ...jwk, d, key_ops: ["deriveBits"] }, how, true, ["deriveBits"]);
  return { privateKey, publicKey: await crypto.subtle.importKey("jwk", jwk, how, true, []) };
}

test.each(VECTORS.cases.filter((one) => typeof one.plain === "string"))("the envelope is that of the vectors, byte by byte: $name", async (one) => {
  const bound = { installId: one.install_id, firstN: one.first_n, lastN: one.last_n };
  const own = await pairOf(one.ephemeral_private, one.ephemeral_public);
  expect(await sealEnvelope(VECTORS.server_public_key, one.plain, bound, own)).toBe(one.envelope);
});

type Sealed = { first_n: number; last_n: number; envelope: string }[];
type Body = Record<string, unknown>;

/** A phone of a server that knows envelopes, and what that server was handed. */
async function phone(): Promise<{ engine: Engine; parts: ReturnType<typeof device>; server: ReturnType<typeof scripted>; got: Sealed; head: { n: number; op_id: string | null } }> {
  const got: Sealed = [];
  const head = { n: 0, op_id: null as string | null };
  const facts = { send_token: "dishu-send.t", server_public_key: VECTORS.server_public_key };
  const server = scripted((path, body) => {
    if (path.endsWith("/enroll")) {
      const user = { user_id: "u1", name: "网格员", role: "grid_worker" };
      return { status: 201, body: { community_id: "c1", install_id: "i1", device_token: "t", user, protocol: 1, ...facts } };
    }
    if (path.endsWith("/config")) return { body: { protocol: 1, min_protocol: 1, epoch: "e1", limits: { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 }, ...facts } };
    if (path.endsWith("/reference")) return { body: REFERENCE };
    if (!path.endsWith("/push/sealed")) return null;
    const after = body["after"] as { n: number };
    const common: Body = { epoch: "e1", applied: head, safe_n: 0, receipt: null, skew_s: 0 };
    if (after.n !== head.n) return { body: { ...common, results: [], expected: head } };
    const sealed = body["sealed"] as Sealed;
    got.push(...sealed);
    head.n = sealed[sealed.length - 1]?.last_n ?? head.n;
    return { body: { ...common, applied: { ...head }, results: [] } };
  });
  const parts = device(server);
  return { engine: await enrolled(parts), parts, server, got, head };
}

test("what was written can be handed over by a phone whose PIN nobody has given, and only once", async () => {
  const { engine, parts, server, got } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲乙丙" } }, { kind: "create", type: "person", set: { name: "丁" } }]);
  await engine.write([{ kind: "create", type: "person", set: { name: "戊" } }]);
  const clear = new TextDecoder().decode(Uint8Array.from([...parts.disk.blocks.values()].flatMap((block) => [...block])));
  expect(clear).not.toContain("甲乙丙");
  expect(clear).not.toContain('"t"');
  engine.close();
  const locked = await openEngine({ ...parts, store: memoryStore(parts.disk) });
  expect(locked.state()).toBe("locked");
  expect(await locked.sealedCount()).toBe(3);
  server.isOffline = true;
  expect(await locked.sendSealed()).toMatchObject({ sent: 0, left: 3, problem: { code: "offline" } });
  server.isOffline = false;
  expect(await locked.sendSealed()).toStrictEqual({ sent: 3, left: 0, lastN: 3, problem: null, erase: null });
  expect(got.map((one) => [one.first_n, one.last_n])).toStrictEqual([[1, 2], [3, 3]]);
  expect(await locked.sendSealed()).toMatchObject({ left: 0, problem: null });
  expect(got).toHaveLength(2);
});

test("an envelope goes when its operations were answered, and not before; a kill in between changes nothing", async () => {
  const { engine, parts } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  const again = await restarted(parts);
  expect(await again.sealedCount()).toBe(1);
  await again.sync(); // this server takes no open push: nothing was answered
  expect(again.unsentCount()).toBe(1);
  expect(await again.sealedCount()).toBe(1);
});

test("a server whose log is another one gets nothing", async () => {
  const { engine, head, got } = await phone();
  await engine.write([{ kind: "create", type: "person", set: { name: "甲" } }]);
  await engine.write([{ kind: "create", type: "person", set: { name: "乙" } }]);
  Object.assign(head, { n: 1, op_id: "019cabcd-0000-7000-8222-000000000001" });
  expect(await engine.sendSealed()).toMatchObject({ problem: { code: "fork_needed" } });
  expect(got).toHaveLength(0);
});
