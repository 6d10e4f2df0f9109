// Blocks in IndexedDB. Two object stores, no library: every commit is one transaction that first looks whether this
// opener still has the storage, and is durable (`strict`) when it resolves.

import { Fenced, StorageFull, StorageRefused, type BlockStore } from "./parts-types.ts";

type Block = Uint8Array<ArrayBuffer>;

const request = <T>(asked: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

/** A site may keep nothing: a private window of an older Firefox, or site data blocked, of which Chromium tells more in its text than in the name. */
const isRefusal = ({ name, message }: Error): boolean => ["SecurityError", "InvalidStateError"].includes(name) || (name === "UnknownError" && /denied permission/.test(message));

function opened(name: string, lost: () => void): Promise<IDBDatabase> {
  return new Promise<IDBDatabase>((resolve, reject) => {
    if (!globalThis.indexedDB) throw new StorageRefused("no IndexedDB");
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("blocks");
      asked.result.createObjectStore("meta");
    };
    asked.onsuccess = () => {
      asked.result.onversionchange = () => {
        asked.result.close(); // another tab deletes the database or opens a newer layout
        lost();
      };
      asked.result.onclose = lost; // the browser closed it: site data cleared, a disk that failed
      resolve(asked.result);
    };
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("an older page keeps the database open"));
  }).catch((error: Error) => {
    throw isRefusal(error) ? new StorageRefused(error.message) : error;
  });
}

/** The store of one database of the browser. */
export function indexedDbStore(name: string): BlockStore {
  let database: IDBDatabase | null = null;
  let fence = -1;
  /** The fence is the last opener's: there was no room to write an own one. The first commit does it. */
  let isBorrowed = false;

  const live = async (): Promise<IDBDatabase> => {
    database ??= await opened(name, () => {
      database = null;
    });
    return database;
  };

  /** A transaction; on a connection that was closed under us, on a new one. */
  const begin = async (stores: string[], mode: IDBTransactionMode, how?: IDBTransactionOptions): Promise<IDBTransaction> => {
    try {
      return (await live()).transaction(stores, mode, how);
    } catch (error) {
      if ((error as DOMException).name !== "InvalidStateError") throw error;
      database = null;
      return (await live()).transaction(stores, mode, how);
    }
  };

  /** One transaction; `work` asks for everything at once, so that the transaction does not end in between. */
  const transact = async (mode: IDBTransactionMode, work: (transaction: IDBTransaction, abort: (error: Error) => void) => void): Promise<void> => {
    const transaction = await begin(["blocks", "meta"], mode, { durability: "strict" });
    await new Promise<void>((resolve, reject) => {
      let reason: Error | null = null;
      transaction.oncomplete = () => resolve();
      transaction.onerror = () => undefined; // the abort that follows says it
      transaction.onabort = () => {
        const error = reason ?? transaction.error ?? new Error("the transaction was aborted");
        reject(error.name === "QuotaExceededError" ? new StorageFull(error.message) : error);
      };
      const abort = (error: Error): void => {
        reason = error;
        transaction.abort();
      };
      try {
        work(transaction, abort);
      } catch (error) {
        abort(error as Error);
      }
    });
  };

  const holding = (transaction: IDBTransaction, abort: (error: Error) => void, then: () => void): void => {
    const asked = transaction.objectStore("meta").get("fence") as IDBRequest<number | undefined>;
    asked.onsuccess = () => {
      if (asked.result !== fence) abort(new Fenced("another page has the storage"));
      else {
        try {
          if (isBorrowed) transaction.objectStore("meta").put(fence + 1, "fence");
          then();
        } catch (error) {
          abort(error as Error);
        }
      }
    };
  };

  const marked = (): void => {
    if (isBorrowed) fence += 1;
    isBorrowed = false;
  };

  return {
    async open() {
      let about: string | null = null;
      const look = (isWriting: boolean) => (transaction: IDBTransaction): void => {
        const meta = transaction.objectStore("meta");
        const last = meta.get("fence") as IDBRequest<number | undefined>;
        last.onsuccess = () => {
          fence = (last.result ?? 0) + (isWriting ? 1 : 0);
          if (isWriting) meta.put(fence, "fence");
        };
        const text = meta.get("about") as IDBRequest<string | undefined>;
        text.onsuccess = () => {
          about = text.result ?? null;
        };
      };
      isBorrowed = false;
      await transact("readwrite", look(true)).catch(async (error: unknown) => {
        if (!(error instanceof StorageFull)) throw error;
        await transact("readonly", look(false)); // a full phone is opened all the same
        isBorrowed = true;
      });
      return { about };
    },
    async readAll(prefix) {
      const blocks = (await begin(["blocks"], "readonly")).objectStore("blocks");
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`, false, true);
      const [names, values] = await Promise.all([request(blocks.getAllKeys(range)), request(blocks.getAll(range) as IDBRequest<Block[]>)]);
      return names.map((one, at) => [one as string, values[at] as Block]);
    },
    async read(one) {
      const blocks = (await begin(["blocks"], "readonly")).objectStore("blocks");
      return (await request(blocks.get(one) as IDBRequest<Block | undefined>)) ?? null;
    },
    async commit(changes, about) {
      await transact("readwrite", (transaction, abort) =>
        holding(transaction, abort, () => {
          const blocks = transaction.objectStore("blocks");
          for (const [one, block] of changes) {
            if (block === null) blocks.delete(one);
            else blocks.put(block, one);
          }
          if (about !== null) transaction.objectStore("meta").put(about, "about");
        }),
      );
      marked();
    },
    async destroy(about) {
      await transact("readwrite", (transaction, abort) =>
        holding(transaction, abort, () => {
          transaction.objectStore("blocks").clear();
          if (about === undefined) transaction.objectStore("meta").delete("about");
          else transaction.objectStore("meta").put(about, "about");
        }),
      );
      marked();
    },
    close() {
      database?.close();
      database = null;
      fence = -1;
    },
  };
}
