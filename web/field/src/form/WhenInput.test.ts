// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { createApp, h } from "vue";
import { i18n } from "../i18n.ts";
import WhenInput from "./WhenInput.vue";

afterEach(() => void vi.unstubAllEnvs());

test.each(["Asia/Shanghai", "America/Los_Angeles"])("a moment is shown and typed by the clock of the communities, also where the phone is set to the zone %s", (zone) => {
  vi.stubEnv("TZ", zone);
  const page = document.body.appendChild(document.createElement("div"));
  let given: unknown = null;
  const props = { id: "f-visited_at", type: "visit", field: {}, values: {}, stored: {}, wrong: false, value: "2026-03-02T16:30:00Z", onSet: (value: unknown) => (given = value) } as unknown as InstanceType<typeof WhenInput>["$props"];
  const app = createApp({ render: () => h(WhenInput, props) }).use(i18n);
  app.mount(page);
  const input = page.querySelector("input")!;
  expect(input.value).toBe("2026-03-03T00:30");
  input.value = "2026-03-03T07:05";
  input.dispatchEvent(new Event("change"));
  expect(given).toBe("2026-03-02T23:05:00.000Z");
  app.unmount();
});
