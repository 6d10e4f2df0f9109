import { afterEach, expect, test, vi } from "vitest";
import { shrink, smaller } from "./shrink.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A browser with a photo of this size, as its camera wants it seen. */
function browser(width: number, height: number, decode: (asked: ImageBitmapOptions) => Promise<unknown>) {
  const drawn: unknown[][] = [];
  const asked: ImageBitmapOptions[] = [];
  const canvas = { getContext: () => ({ drawImage: (...all: unknown[]) => void drawn.push(all) }), toBlob: (done: (blob: Blob) => void) => done(new Blob(["jpeg"])) };
  class Image {
    naturalWidth = width;
    naturalHeight = height;
    onload = (): void => undefined;
    set src(_: string) {
      queueMicrotask(() => this.onload());
    }
  }
  vi.stubGlobal("Image", Image);
  vi.stubGlobal("document", { createElement: () => canvas });
  vi.stubGlobal("createImageBitmap", (_: Blob, options: ImageBitmapOptions) => (asked.push(options), decode(options)));
  return { drawn, asked, canvas: canvas as unknown as { width: number; height: number }, image: expect.any(Image) as unknown };
}
const bitmap = (width: number, height: number) => ({ width, height, close: () => undefined });

test("a photo of 48 megapixels is never unpacked at its full size", async () => {
  const small = bitmap(960, 1280);
  const { drawn, asked, canvas } = browser(6000, 8000, async () => small);
  expect(await shrink(new Blob(["photo"]))).toStrictEqual(new TextEncoder().encode("jpeg"));
  expect([asked.length, asked[0]]).toStrictEqual([1, expect.objectContaining({ resizeHeight: 1280, imageOrientation: "from-image" })]);
  expect(drawn).toStrictEqual([[small, 0, 0, 960, 1280]]);
  expect([canvas.width, canvas.height]).toStrictEqual([960, 1280]);
  expect([smaller({ width: 8000, height: 6000 }), smaller({ width: 640, height: 480 }), smaller({ width: 90_000, height: 20 })]).toStrictEqual([{ width: 1280, height: 960 }, { width: 640, height: 480 }, { width: 1280, height: 1 }]);
});

test("a browser that cannot do that, or makes it smaller before it turns it upright, draws the upright picture", async () => {
  for (const decode of [async () => Promise.reject(new TypeError("options")), async () => bitmap(1707, 1280)]) {
    const { drawn, image } = browser(6000, 8000, decode);
    await shrink(new Blob(["photo"]));
    expect(drawn).toStrictEqual([[image, 0, 0, 960, 1280]]);
  }
});

test("a photo that the browser never answers for fails after a while, and whoever waits for it goes on", async () => {
  vi.useFakeTimers();
  browser(6000, 8000, () => new Promise(() => undefined));
  const failed = expect(shrink(new Blob(["photo"]))).rejects.toThrow("no answer");
  await vi.advanceTimersByTimeAsync(60_000);
  await failed;
});
