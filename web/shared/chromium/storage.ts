// The browser's own IndexedDB where Node needs one that is made for tests.

/** As when the browser closes a connection under a page. */
export function forceCloseDatabase(database: IDBDatabase): void {
  database.close();
  database.onclose?.call(database, new Event("close"));
}
