import { afterEach, expect, test, vi } from "vitest";
import { deviceLabel } from "./device.ts";

afterEach(() => void vi.unstubAllGlobals());
const as = (userAgent: string, hints?: () => Promise<{ model?: string }>): Promise<string> => {
  vi.stubGlobal("navigator", { userAgent, ...(hints ? { userAgentData: { getHighEntropyValues: hints } } : {}) });
  return deviceLabel();
};

test("the office reads which phone it is, as far as its browser says so", async () => {
  const android = (model: string): string => `Mozilla/5.0 (Linux; Android 10; ${model}) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36`;
  expect(await as(android("K"), async () => ({ model: "Redmi Note 9" }))).toBe("Redmi Note 9 · Android");
  expect(await as(android("K"), async () => ({ model: "" }))).toBe("Android");
  expect(await as(android("K"), () => Promise.reject(new Error("not allowed")))).toBe("Android");
  expect(await as(android("M5 Note Build/NRD90M"))).toBe("M5 Note · Android");
  expect(await as("Mozilla/5.0 (Linux; U; Android 10; zh-cn; Redmi Note 8 Build/QKQ1.200114.002) AppleWebKit/537.36 Version/4.0 Chrome/89.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/15.0")).toBe("Redmi Note 8 · Android");
  expect(await as("Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X)")).toBe("iPhone");
  expect(await as("")).toBe("Browser");
});
