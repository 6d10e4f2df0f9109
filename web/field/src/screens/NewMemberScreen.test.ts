// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

test("a new household is written with its first member in one act: whoever backs out before leaves nothing behind", async () => {
  let dwelling = "";
  const { engine, server, go, back, tap, type, at, says, close } = await drawn(async ({ engine }) => {
    dwelling = engine.newId();
    await engine.write([{ kind: "create", type: "dwelling", id: dwelling, set: { door_number: "301" } }]);
  });
  await go(`/dwelling/${dwelling}`);
  await tap("一家人");
  await says("证件号码");
  back();
  await at(new RegExp(`^/dwelling/${dwelling}$`));
  expect([engine.count("household"), engine.outbox().unsent]).toStrictEqual([0, 1]);

  await tap("合租");
  await type("name", "试验户主");
  await soon(() => expect(engine.drafts()[0], "kept while it is typed").toMatchObject({ about: [dwelling] }));
  await tap("保存再加一个");
  await at(/\/member\?head=1$/);
  const [household] = engine.list("household");
  const [person] = engine.members(household!.id);
  expect(household!.fields).toMatchObject({ dwelling, kind: "shared_rental", head: person!.id });
  expect(person!.fields).toMatchObject({ name: "试验户主", relation_to_head: "02", joined_reason: "survey", presence: "present" });
  await engine.sync();
  const groups = server.asked.flatMap(({ path, body }) => (path.endsWith("/push") ? (body["groups"] as { ops: unknown[] }[]) : []));
  expect(groups.map((one) => one.ops.length), "the door, then the household with its first member").toStrictEqual([1, 3]);
  back();
  await at(new RegExp(`^/household/${household!.id}$`));
  back();
  await at(new RegExp(`^/dwelling/${dwelling}$`));
  close();
});

test("who is brought from another door leaves a reason and a new head behind, and the form closes without a question", async () => {
  const [old, home, head, wife] = ["h1", "h2", "p1", "p2"];
  const { engine, go, tap, type, at, buttons, close } = await drawn(async ({ engine, cell }) => {
    cell.put(old, 1, { kind: "family", head }, { type: "household" });
    cell.put(home, 1, { kind: "family", head: "p3" }, { type: "household" });
    cell.put(head, 1, { name: "试验甲", birth_date: "1962-09-14", residence_household: old, relation_to_head: "02" });
    cell.put(wife, 1, { name: "试验乙", residence_household: old });
    cell.put("p3", 1, { name: "试验丙", residence_household: home });
    await engine.sync();
  });
  await go(`/household/${home}/member`);
  await type("name", "试验甲");
  await type("birth_date", "19620914");
  await tap("就是他，接到本户");
  await soon(() => expect(buttons("接到本户").at(-1), "no reason was given").toHaveProperty("disabled", true));
  await tap("婚出");
  await tap("试验乙");
  await soon(() => expect(buttons("接到本户").at(-1)).toHaveProperty("disabled", false));
  buttons("接到本户").at(-1)!.click();
  await at(/^\/person\/p1$/);
  expect(engine.read(head)?.fields).toMatchObject({ residence_household: home, joined_reason: "moved_in" });
  expect([engine.read(old)?.fields["head"], engine.read(wife)?.fields["relation_to_head"]]).toStrictEqual([wife, "02"]);
  expect(engine.drafts()).toStrictEqual([]);
  close();
});
