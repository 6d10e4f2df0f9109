// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { get } from "./api/client.ts";
import { askAhead, overviewOf } from "./first.ts";
import { onKnown } from "./session.ts";
import { router } from "./router.ts";

vi.mock(import("./api/client.ts"), async (original) => ({ ...(await original()), get: vi.fn() }));
vi.mock(import("./session.ts"), async (original) => ({ ...(await original()), onKnown: vi.fn(), restore: vi.fn(), may: () => true, communityOf: () => "c", user: { value: {} } as never }));
window.scrollTo = () => undefined;
vi.mock("./pages/cells/CellsPage.vue", () => ({ default: { render: () => null } }));

test("figures that were asked ahead are of now: who went elsewhere first is told anew when they come back", async () => {
  const known = (): void => vi.mocked(onKnown).mock.calls[0]?.[0]({} as never);
  let edition = 1;
  vi.mocked(get).mockImplementation(async () => edition as never);
  askAhead();
  known();
  expect([await overviewOf("c"), vi.mocked(get).mock.calls.length]).toEqual([1, 1]);
  known();
  await router.push("/cells");
  edition = 2;
  expect([await overviewOf("c"), vi.mocked(get).mock.calls.length]).toEqual([2, 3]);
});
