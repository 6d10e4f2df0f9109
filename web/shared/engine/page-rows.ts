// How many rows a page may have on this line: a page that a weak line cannot carry while the request lasts would be asked for again and again.
import type { Transport } from "./parts-types.ts";

/** A page that takes longer than this is large enough: a request lasts four times as long. */
const LONG_MS = 15_000;
const LEAST = 100;
const MOST = 32_000;

/** Grows and shrinks with what the line carries; null leaves it to the server. */
export class PageRows {
  limit: number | null;
  private carried = 1_000;

  /** `most` is never passed; null: the server's own measure. */
  constructor(private readonly most: number | null = null) {
    this.limit = most;
  }

  /** A page came whole. */
  came(rows: number, ms: number): void {
    if (ms > LONG_MS) this.limit = Math.min(this.most ?? MOST, Math.max(LEAST, rows));
    else if (this.limit !== null && rows >= this.limit) this.limit = this.limit * 2 > (this.most ?? MOST) ? this.most : this.limit * 2;
    this.carried = Math.max(LEAST, rows);
  }

  /** No whole page came. */
  broke(): void {
    this.limit = Math.min(this.most ?? MOST, Math.max(LEAST, Math.floor((this.limit ?? this.carried) / 4)));
  }
}

const lines = new WeakMap<Transport, PageRows>();

/** What is known of a line while the app is open. */
export function pageRows(line: Transport, most: number | null): PageRows {
  const known = lines.get(line) ?? new PageRows(most);
  lines.set(line, known);
  return known;
}
