// Forms change while this phone is in the field (S10): what it does not know passes through it untouched.
import { expect, test } from "vitest";
import { Digest, recordHash } from "./digest.ts";
import { device, EMPTY_PULL, enrolled, REFERENCE, restarted, scripted } from "./kit.ts";
import type { Codelist, Definition } from "./reference-types.ts";

type Body = Record<string, unknown>;
const labels = (text: string) => ({ zh: text, en: text });
const field = (name: string, more: Body = {}) => ({ name, type: "text", label: labels(name), privacy: "internal", ...more });
const OLD = { name: "kiosk", version: 1, label: labels("亭子"), fields: [field("name", { required: true }), field("kind", { type: "select_one", codelist: "kiosk_kind" }), field("address_text")] } as unknown as Definition;
const KINDS: Codelist = { name: "kiosk_kind", label: labels("类型"), entries: [{ code: "food", zh: "早点", en: "Food" }, { code: "paper", zh: "报刊", en: "Papers" }] };
const COPY = { id: "00000000-0000-7000-8000-000000000001", type: "kiosk", v: 1, tag: "0000000000000001", life: "live", form_version: 2, home: "cell/a", conflicts: [], confirmed: {} };

/** A server whose forms and whose one record a test sets; what was pushed is in `pushed`. */
function upgraded(fields: Body) {
  const state = { forms: OLD, codes: KINDS, pushed: [] as Body[], seq: 1 };
  const server = scripted((path, body) => {
    if (path.endsWith("/reference")) return { body: { ...REFERENCE, forms: { ...REFERENCE.forms, kiosk: state.forms }, codelists: { ...REFERENCE.codelists, kiosk_kind: state.codes } } };
    if (path.endsWith("/pull")) {
      const rows = body["cursor"] === null ? [{ stream: "cell/a", seq: state.seq, kind: "PUT", record: { ...COPY, fields } }] : [];
      const whole = new Digest();
      whole.add(recordHash(COPY.id, COPY.v, COPY.tag));
      return { body: { ...EMPTY_PULL, rows, streams: { "cell/a": { seq: 1, count: 1, digest: whole.hex() } } } };
    }
    if (path.endsWith("/push")) {
      const ops = (body["groups"] as { ops: { n: number; op: string }[] }[]).flatMap((group) => group.ops);
      state.pushed.push(...ops.map((one) => JSON.parse(one.op) as Body));
      return { status: 503, body: {} };
    }
    return null;
  });
  return { server, state };
}

async function withCopy(fields: Body) {
  const { server, state } = upgraded(fields);
  const parts = device(server);
  const engine = await enrolled(parts);
  return { engine, parts, state };
}

test("fields and codes of a newer form are shown as they are and survive an edit, a confirmation and a restart", async () => {
  const { engine, parts, state } = await withCopy({ name: "亭", kind: "repair", address_text: "桥头", phone_text: "10200000001", street_text: "桥头街" });
  const before = engine.read(COPY.id);
  if (before === null) throw new Error("the copy did not arrive");
  expect(before.fields).toStrictEqual({ name: "亭", kind: "repair", address_text: "桥头", phone_text: "10200000001", street_text: "桥头街" });
  await engine.write([{ kind: "patch", id: COPY.id, set: { address_text: "桥尾" } }]);
  await engine.write([{ kind: "confirm", id: COPY.id }]);
  const again = await restarted(parts);
  expect(again.read(COPY.id)?.fields).toStrictEqual({ ...before.fields, address_text: "桥尾" });
  await again.sync();
  const patch = state.pushed.find((one) => one["kind"] === "patch");
  expect(patch).toMatchObject({ set: { address_text: "桥尾" }, form_version: 1 });
  expect(Object.keys((patch ?? {})["set"] as Body)).toStrictEqual(["address_text"]);
});

test("a retired code is still taken, a new word and a new code come with the next forms, a split field is a new field", async () => {
  const { engine, state } = await withCopy({ name: "亭" });
  expect(engine.check("kiosk", { name: "亭", kind: "repair" }, true).map((one) => one.pointer)).toStrictEqual(["/set/kind"]);
  state.forms = { ...OLD, version: 2, fields: [{ ...OLD.fields[0], label: labels("招牌") }, ...OLD.fields.slice(1, 2), field("street_text"), field("number_text")] } as unknown as Definition;
  state.codes = { ...KINDS, entries: [KINDS.entries[0] as Codelist["entries"][number], { code: "paper", zh: "报刊", en: "Papers", retired: true }, { code: "repair", zh: "修理", en: "Repairs" }] };
  await engine.sync();
  expect(engine.reference()?.forms["kiosk"]?.fields[0]?.label.zh).toBe("招牌");
  for (const kind of ["paper", "repair"]) expect(engine.check("kiosk", { name: "亭", kind }, true)).toStrictEqual([]);
  const { ids } = await engine.write([{ kind: "create", type: "kiosk", set: { name: "新亭", street_text: "桥头街", number_text: "3", address_text: "旧题" } }]);
  expect(engine.read(ids[0] as string)?.fields).toStrictEqual({ name: "新亭", street_text: "桥头街", number_text: "3", address_text: "旧题" });
});
