// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { defineComponent, h } from "vue";
import { drawn } from "../kit-screens.ts";

const asked = vi.hoisted(() => [] as ((found: unknown) => void)[]);
vi.mock("../map/ground.ts", () => ({ makeMap: () => ({ remove: () => undefined }), drawCells: () => () => undefined, drawBuildings: () => undefined, drawMe: () => undefined }));
vi.mock("../map/underlay.ts", () => ({ underlay: () => new Promise((resolve) => asked.push(resolve)) }));
vi.mock("../map/BasemapSheet.vue", () => ({ default: defineComponent({ emits: ["changed"], setup: (_, { emit }) => () => h("button", { onClick: () => emit("changed") }, "换了底图") }) }));

test("a basemap that is read while another one takes its place is not drawn over it", async () => {
  const { go, tap, close } = await drawn();
  await go("/map");
  await tap("换了底图");
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  const shown = new Set(["older", "newer"]);
  const layer = (name: string) => ({ basemap: {}, layer: { remove: () => shown.delete(name) } });
  asked[1]!(layer("newer"));
  asked[0]!(layer("older"));
  await vi.waitFor(() => expect([...shown]).toStrictEqual(["newer"]));
  close();
});
