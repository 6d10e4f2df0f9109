// @vitest-environment jsdom
import { expect, test } from "vitest";
import { drawn, slowBack, soon } from "../kit-screens.ts";

test("Back tapped again before the other screen stands is one step, and the next one another", async () => {
  const { go, at, buttons, close } = await drawn();
  for (const path of ["/find", "/resources", "/rescue"]) await go(path);
  const back = await soon(() => buttons("返回")[0] ?? expect.fail("no way back"));
  const gone = slowBack();
  back.click();
  back.click();
  await gone();
  await at(/^\/resources$/);
  buttons("返回")[0]!.click();
  await at(/^\/find$/);
  close();
});
