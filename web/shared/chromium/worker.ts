// What Vitest's expectations look for around them: a process, and the worker that they think they run in.
Object.assign(globalThis, {
  process: { env: {} },
  __vitest_worker__: { filepath: "", config: { snapshotOptions: {}, expect: {} }, environment: { name: "chromium" } },
});

export {};
