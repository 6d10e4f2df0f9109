import { afterEach, expect, test, vi } from "vitest";
import { readsQr } from "./scanning.ts";

afterEach(() => void vi.unstubAllGlobals());
const offers = (formats: unknown): Promise<boolean> => {
  vi.stubGlobal("window", { setTimeout: (run: (none: string[]) => void) => setTimeout(run, 5, []), ...(formats === undefined ? {} : { BarcodeDetector: formats === null ? class {} : class { static getSupportedFormats = () => formats; } }) });
  vi.stubGlobal("navigator", { mediaDevices: {} });
  return readsQr();
};

test("a phone whose reader of codes is missing, knows no QR codes, fails or never answers cannot scan", async () => {
  expect(await offers(Promise.resolve(["ean_13", "qr_code"]))).toBe(true);
  for (const none of [undefined, null, Promise.resolve([]), Promise.resolve(["ean_13"]), Promise.reject(new Error("no service")), new Promise(() => undefined)]) expect(await offers(none)).toBe(false);
});
