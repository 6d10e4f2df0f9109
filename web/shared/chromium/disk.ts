// The disk of the tests in the browser's IndexedDB: every block is written to and read from there, in real transactions. What a test does to a
// disk by hand (makes it full, breaks a block, looks at what lies there) it does to the copy in memory, which says so.

import { indexedDbStore } from "../engine/store-idb.ts";
import { MemoryDisk, memoryStore as inMemory } from "../engine/store-memory.ts";
import type { BlockStore } from "../engine/parts-types.ts";

export { MemoryDisk };

/** Its name in the browser, and its blocks as transactions left them: what is otherwise by now, a test has done. */
interface Real {
  name: string;
  left: MemoryDisk["blocks"];
}
const reals = new WeakMap<MemoryDisk, Real>();
let count = 0;

function realOf(disk: MemoryDisk): Real {
  const found = reals.get(disk) ?? { name: `disk-${++count}`, left: new Map() };
  reals.set(disk, found);
  return found;
}

export function memoryStore(disk: MemoryDisk = new MemoryDisk()): BlockStore {
  const copy = inMemory(disk);
  const { name: database, left } = realOf(disk);
  const real = indexedDbStore(database);
  const isTouched = (name: string): boolean => left.get(name) !== disk.blocks.get(name);
  return {
    async open() {
      const { about } = await copy.open();
      return { about: (await real.open()).about ?? about }; // a disk that was copied by hand has it in memory alone
    },
    async read(name) {
      return isTouched(name) ? copy.read(name) : real.read(name);
    },
    async readAll(prefix) {
      const known = await copy.readAll(prefix);
      return known.some(([name]) => isTouched(name)) ? known : real.readAll(prefix);
    },
    async commit(blocks, about) {
      await copy.commit(blocks, about); // a full one refuses here
      for (const [name, block] of blocks) {
        if (block === null) left.delete(name);
        else left.set(name, block);
      }
      await real.commit(blocks, about);
    },
    async destroy(about) {
      await copy.destroy(about);
      left.clear();
      await real.destroy(about);
    },
    close() {
      copy.close();
      real.close();
    },
  };
}
