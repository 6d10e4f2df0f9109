// For trials in a real browser (tests/test_web_engine_browser.py): the engine, and a server of many records in the page.

import { madeId, recordHash, Digest } from "./digest.ts";
import type { Answer, Transport } from "./parts-types.ts";

export * from "./index.ts";
export { CellIndex } from "../geo/locate.ts";

const SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤";
const GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞平刚桂英华玉红建国梅鑫宇浩然欣怡子涵梓轩雨桐思远佳琪晨曦文博志强海燕春花";

/** Rows of one cell: buildings of 50 dwellings with a household each, and persons in them; nobody's names. */
function manyRows(persons: number): { stream: string; seq: number; kind: string; record: Record<string, unknown> }[] {
  const rows: { stream: string; seq: number; kind: string; record: Record<string, unknown> }[] = [];
  const put = (id: string, type: string, fields: Record<string, unknown>): string => {
    const tag = "0123456789abcdef";
    const record = { id, type, v: 1, tag, life: "live", form_version: 1, home: "cell/a", conflicts: [], confirmed: {}, fields };
    rows.push({ stream: "cell/a", seq: rows.length + 1, kind: "PUT", record });
    return id;
  };
  let building = "";
  let household = "";
  for (let at = 0; at < persons; at++) {
    const door = Math.floor(at / 3);
    if (at % 150 === 0) building = put(madeId("b", String(at)), "building", { name: `${Math.floor(at / 150) + 1} 幢` });
    if (at % 3 === 0) {
      const dwelling = put(madeId("d", String(at)), "dwelling", { building, door_number: `${Math.floor((door % 50) / 4) + 1}0${(door % 4) + 1}`, floor_number: Math.floor((door % 50) / 4) + 1 });
      household = put(madeId("h", String(at)), "household", { dwelling, kind: "family" });
    }
    const name = `${SURNAMES[(at * 7) % SURNAMES.length]}${GIVEN[(at * 13) % GIVEN.length]}${GIVEN[(at * 29 + 3) % GIVEN.length]}`;
    put(madeId("p", String(at)), "person", {
      name, residence_household: household, sex: at % 2 ? "1" : "2", birth_date: `19${String(50 + (at % 50)).padStart(2, "0")}-03-02`,
      document_type: "resident_id", document_number: { mask: `****${String(at % 10000).padStart(4, "0")}` }, document_evidence: "seen",
      phones: [`199${String(at).padStart(8, "0")}`], ethnic_code: "01", education_code: "20", marital_code: "20", political_code: "13",
      relation_to_head: at % 3 ? "10" : "02", resident_from: "2015-06-01", presence: "present",
    });
  }
  return rows;
}

/** A server in the page: one worker, one cell, so many persons; pages of 1,000 rows and more as the real one gives them. */
export function manyServer(persons: number, reference: Record<string, unknown>): Transport {
  const rows = manyRows(persons);
  const digest = new Digest();
  for (const { record } of rows) digest.add(recordHash(record["id"] as string, 1, record["tag"] as string));
  const streams = { "install/i1": { seq: 0, count: 0, digest: new Digest().hex() }, "cell/a": { seq: rows.length, count: rows.length, digest: digest.hex() } };
  const pull = (body: { cursor: string | null }): Record<string, unknown> => {
    const from = Number(body.cursor?.split("/")[0] ?? 0);
    const size = Number(body.cursor?.split("/")[1] ?? 1000);
    const complete = from + size >= rows.length;
    const common = { epoch: "e1", cursor: complete ? `${rows.length}/1000` : `${from + size}/${Math.min(32_000, size * 2)}`, complete, replace: [], rows: rows.slice(from, from + size) };
    const scope = { version: 1, streams: Object.keys(streams), added: [], dropped: [] };
    return { ...common, scope, ...(complete ? { streams, applied: { n: 0, op_id: null }, safe_n: 0 } : {}) };
  };
  return {
    async request(_method, path, { body }): Promise<Answer> {
      const user = { user_id: "u1", name: "网格员", role: "grid_worker" };
      let answer: Record<string, unknown> = { protocol: 1, min_protocol: 1, limits: { max_ops: 2000, max_bytes: 8e6, max_op_bytes: 262144, page_rows: 1000 } };
      if (path.endsWith("/enroll")) answer = { community_id: "c1", install_id: "i1", device_token: "t", user, protocol: 1 };
      if (path.endsWith("/reference")) answer = reference;
      if (path.endsWith("/pull")) answer = pull(body as { cursor: string | null });
      const text = JSON.stringify(answer); // as much work as a real answer makes
      return { status: 200, headers: {}, body: JSON.parse(text) as Record<string, unknown>, bytesDown: text.length, bytesUp: 0 };
    },
  };
}
