// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { defineComponent, h } from "vue";
import { drawn } from "../kit-screens.ts";

vi.mock("../map/MapPick.vue", () => ({
  __esModule: true, // as an async component asks for it
  default: defineComponent({ emits: ["picked", "close"], setup: (_, { emit }) => () => h("button", { onClick: () => emit("picked", { lon: 120.6, lat: 31.3 }) }, "就在这里") }),
}));

test("a position that comes after somebody has pointed at the map does not take its place", async () => {
  let found: PositionCallback | null = null;
  Object.defineProperty(navigator, "geolocation", { configurable: true, value: { getCurrentPosition: (done: PositionCallback) => (found = done) } });
  const { go, tap, says, close } = await drawn();
  await go("/new/building");
  await tap("手机定位");
  await tap("地图");
  await tap("就在这里");
  await says("31.30000, 120.60000");
  found!({ coords: { longitude: 120.7, latitude: 31.4, accuracy: 900 } } as GeolocationPosition);
  await new Promise((resolve) => setTimeout(resolve, 0));
  await says("31.30000, 120.60000");
  expect(document.body.textContent).not.toContain("正在定位");
  close();
});
