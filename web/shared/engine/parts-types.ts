// What the engine is built from: the outside world, given to it by the screen (or by a test).

/** An answer of the server: status, headers with lower-case names, the JSON body (`{}` where there is none). */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Record<string, unknown>;
  /** The body as it came, where it is no JSON. */
  content?: Uint8Array<ArrayBuffer>;
  /** Bytes of the body as received, and of the request as sent. */
  bytesDown: number;
  bytesUp: number;
}

export type Method = "GET" | "POST" | "HEAD" | "PATCH";

/** Carries one request. Rejects with `Offline` where no whole answer arrived. */
export interface Transport {
  /** `body` travels as JSON, but bytes travel as they are. */
  request(method: Method, path: string, options: { body?: unknown; token?: string; headers?: Record<string, string> }): Promise<Answer>;
}

/** Another tab took the storage over: nothing of the commit was kept. */
export class Fenced extends Error {}
/** No room: nothing of the commit was kept. */
export class StorageFull extends Error {}
/** The browser lets this site keep nothing here. */
export class StorageRefused extends Error {}
/** No whole answer arrived. The server may or may not have seen the request; sending it again changes nothing. */
export class Offline extends Error {}

/**
 * Where sealed blocks are kept: `indexedDbStore("dishu-field")` in a browser, `memoryStore()` in a test.
 * The engine seals what it gives; the store sees bytes and names of blocks, and the clear `about` text (salt, counters).
 */
export interface BlockStore {
  /** Takes the storage for this opener: every earlier opener's commits fail with `Fenced` from now on. */
  open(): Promise<{ about: string | null }>;
  readAll(prefix: string): Promise<[name: string, block: Uint8Array<ArrayBuffer>][]>;
  read(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** All of it or nothing, durable when it resolves. null deletes a block; `about` null leaves it as it is. */
  commit(blocks: ReadonlyMap<string, Uint8Array<ArrayBuffer> | null>, about: string | null): Promise<void>;
  /** Deletes everything; `about` is what stands in the clear afterwards. */
  destroy(about?: string): Promise<void>;
  close(): void;
}

/** Who of several tabs may work: `webLocks("dishu-field")` in a browser; left out, this opener always may. */
export interface Turn {
  /** True where nobody else has it, or `steal` is set. `lost` is called when another one takes it. */
  take(options: { steal: boolean; lost: () => void }): Promise<boolean>;
  release(): void;
}

/** What an engine needs. */
export interface EngineParts {
  store: BlockStore;
  transport: Transport;
  turn?: Turn;
  /** The device's time in ms since 1970; only ever told as a claim. Default: `Date.now`. */
  now?: () => number;
  /** Until what was just told could be drawn. */
  pause?: () => Promise<void>;
  /** Waits so many ms; tests do not. */
  wait?: (ms: number) => Promise<void>;
  /** Source of UUIDv7 texts. Default: made from the clock and `crypto`. */
  newId?: () => string;
  /** Rounds of PBKDF2 for the PIN; tests take fewer. */
  pinRounds?: number;
  /** Called with the name of every step; tests stop the engine there. */
  fault?: (step: string) => void;
  appVersion?: string;
  /** Asks the browser for storage that it does not clear by itself; false: it may. */
  persist?: () => Promise<boolean>;
  /** Rows per page of a pull; left out: the server's own measure. */
  pageLimit?: number;
  /** Bytes of photos in one rescue file; only for tests. */
  rescueRoom?: number;
}
