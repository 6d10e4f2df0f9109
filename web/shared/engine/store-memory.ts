// Blocks in memory: for tests, and for trials where nothing may stay.

import { Fenced, StorageFull, type BlockStore } from "./parts-types.ts";

/** What several openers of one memory store share: the "disk". */
export class MemoryDisk {
  blocks = new Map<string, Uint8Array<ArrayBuffer>>();
  about: string | null = null;
  fence = 0;
  /** Bytes that fit; more is refused as a full disk does. */
  room = Infinity;
}

const sizeOf = (blocks: MemoryDisk["blocks"]): number => [...blocks.values()].reduce((sum, block) => sum + block.length, 0);

export function memoryStore(disk: MemoryDisk = new MemoryDisk()): BlockStore {
  let mine = -1;
  let isFenced = true;
  const check = (): void => {
    if (disk.fence !== mine) throw new Fenced("another opener has the storage");
  };
  return {
    async open() {
      // a full disk takes no mark: this opener goes on with the last one, and makes its own with its first commit
      isFenced = sizeOf(disk.blocks) <= disk.room;
      mine = isFenced ? ++disk.fence : disk.fence;
      return { about: disk.about };
    },
    async readAll(prefix) {
      return [...disk.blocks].filter(([name]) => name.startsWith(prefix)).sort(([one], [two]) => (one < two ? -1 : 1));
    },
    async read(name) {
      return disk.blocks.get(name) ?? null;
    },
    async commit(blocks, about) {
      check();
      const next = new Map(disk.blocks);
      for (const [name, block] of blocks) {
        if (block === null) next.delete(name);
        else next.set(name, block);
      }
      if (sizeOf(next) > disk.room) throw new StorageFull("the disk is full");
      disk.blocks = next;
      if (!isFenced) mine = ++disk.fence;
      isFenced = true;
      if (about !== null) disk.about = about;
    },
    async destroy(about) {
      check();
      disk.blocks = new Map();
      disk.about = about ?? null;
    },
    close() {
      mine = -1;
    },
  };
}
