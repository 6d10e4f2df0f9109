// @vitest-environment jsdom
import { EngineError } from "@shared/engine/index.ts";
import { expect, test, vi } from "vitest";
import { drawn } from "../kit-screens.ts";

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
