// @vitest-environment jsdom
import { EngineError } from "@shared/engine/index.ts";
import { expect, test, vi } from "vitest";
import { drawn, soon } from "../kit-screens.ts";

test("a file that could not be made is said so, and nobody is asked whether it is there", async () => {
  const { engine, tap, says, close } = await drawn();
  vi.spyOn(engine, "sealedCount").mockResolvedValue(2);
  vi.spyOn(engine, "sendSealed").mockResolvedValue({ left: 2, problem: null } as Awaited<ReturnType<typeof engine.sendSealed>>);
  vi.spyOn(engine, "waiting").mockResolvedValue({ operations: 2, photos: 0, drafts: 0, isTold: true });
  vi.spyOn(engine, "exportSealed").mockRejectedValue(new EngineError("storage_full", { zh: "手机存储已满", en: "The phone is full" }));
  engine.lock();
  await tap("忘记密码");
  await tap("存成文件");
  await says("手机存储已满");
  expect(document.body.textContent).not.toContain("文件已存好");
  close();
});

test("a phone that could not be cleared says why, and was asked once however often it was tapped", async () => {
  const { engine, tap, says, buttons, close } = await drawn();
  vi.spyOn(engine, "waiting").mockResolvedValue({ operations: 0, photos: 0, drafts: 0, isTold: true });
  const left = vi.spyOn(engine, "signOut").mockRejectedValue(new EngineError("elsewhere", { zh: "另一个页面正在使用", en: "another page is in use" }));
  engine.lock();
  await tap("忘记密码");
  await tap("清空本机");
  await soon(() => expect(document.querySelector(".van-dialog__confirm")).not.toBeNull());
  document.querySelector<HTMLElement>(".van-dialog__confirm")!.click();
  await soon(() => expect(left).toHaveBeenCalledTimes(1));
  await says("另一个页面正在使用");
  await soon(() => expect(buttons("清空本机").length).toBeGreaterThan(0)); // and it may be tried again
  expect(document.body.textContent).toContain("另一个页面正在使用");
  close();
});
