/** A source of UUIDv7 texts that ascend within one page, made from a clock and the browser's randomness. */
export function uuid7Source(now: () => number): () => string {
  let last = 0;
  let count = 0;
  return () => {
    const time = Math.max(now(), last);
    count = time === last ? count + 1 : 0;
    if (count > 0xfff) {
      last = time + 1;
      count = 0;
    } else last = time;
    const random = crypto.getRandomValues(new Uint8Array(8));
    random[0] = ((random[0] as number) & 0x3f) | 0x80;
    const tail = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const start = Math.floor(last).toString(16).padStart(12, "0").slice(-12);
    return `${start.slice(0, 8)}-${start.slice(8)}-7${count.toString(16).padStart(3, "0")}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}
