import { expect, test } from "vitest";
import { PageRows } from "./page-rows.ts";

/** What a server gives: pages that double, at most `limit`; the line carries so many rows a second and a request lasts 60. */
function download(total: number, rowsPerSecond: number, breaks: (page: number) => boolean = () => false): { tries: number; broken: number } {
  const rows = new PageRows();
  let [held, doubling, tries, broken] = [0, 1_000, 0, 0];
  while (held < total && tries < 500) {
    tries += 1;
    const page = Math.min(total - held, doubling, rows.limit ?? Infinity);
    const seconds = page / rowsPerSecond;
    if (seconds > 60 || breaks(tries)) {
      broken += 1;
      rows.broke();
    } else {
      held += page;
      doubling = Math.min(32_000, doubling * 2);
      rows.came(page, seconds * 1_000);
    }
  }
  return { tries, broken };
}

test.each([
  ["a good line takes what the server gives", 5_000, { tries: 5, broken: 0 }],
  ["a line of some 10 kB a second never has a page cut", 130, { tries: 13, broken: 0 }],
])("%s", (_, rowsPerSecond, what) => {
  expect(download(25_000, rowsPerSecond)).toStrictEqual(what);
});

test("the weakest line gets all of it in the end: a page that was cut is asked for in smaller pieces", () => {
  const { tries, broken } = download(10_000, 10);
  expect(tries).toBeLessThan(500);
  expect(broken).toBeLessThan(5);
});

test("a line that breaks now and then grows again", () => {
  const { tries } = download(100_000, 5_000, (page) => page % 4 === 0);
  expect(tries).toBeLessThan(40);
});
