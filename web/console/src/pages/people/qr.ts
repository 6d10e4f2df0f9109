// QR codes of texts: bytes, error correction M, versions 1 to 20 (ISO/IEC 18004). Enough for an address with a code, and for the settings of ODK Collect.

// Per version: data codewords, error correction codewords per block, blocks as [count, data each].
const VERSIONS: [ecc: number, blocks: [number, number][]][] = [
  [10, [[1, 16]]],
  [16, [[1, 28]]],
  [26, [[1, 44]]],
  [18, [[2, 32]]],
  [24, [[2, 43]]],
  [16, [[4, 27]]],
  [18, [[4, 31]]],
  [22, [[2, 38], [2, 39]]],
  [22, [[3, 36], [2, 37]]],
  [26, [[4, 43], [1, 44]]],
  [30, [[1, 50], [4, 51]]],
  [22, [[6, 36], [2, 37]]],
  [22, [[8, 37], [1, 38]]],
  [24, [[4, 40], [5, 41]]],
  [24, [[5, 41], [5, 42]]],
  [28, [[7, 45], [3, 46]]],
  [28, [[10, 46], [1, 47]]],
  [26, [[9, 43], [4, 44]]],
  [26, [[3, 44], [11, 45]]],
  [26, [[3, 41], [13, 42]]],
];
const ALIGNED: number[][] = [
  [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50], [6, 30, 54], [6, 32, 58], [6, 34, 62],
  [6, 26, 46, 66], [6, 26, 48, 70], [6, 26, 50, 74], [6, 30, 54, 78], [6, 30, 56, 82], [6, 30, 58, 86], [6, 34, 62, 90],
];
const LONG = 10; // from this version on the count of bytes takes 16 bits instead of 8

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = (value << 1) ^ (value & 0x80 ? 0x11d : 0);
}
const times = (a: number, b: number) => (a && b ? EXP[LOG[a]! + LOG[b]!]! : 0);

/** Remainder of the data times x^count by the generator of that degree (Reed–Solomon). */
export function correction(data: number[], count: number): number[] {
  let generator = [1];
  for (let n = 0; n < count; n += 1) {
    const next = new Array<number>(generator.length + 1).fill(0);
    generator.forEach((factor, place) => {
      next[place]! ^= factor;
      next[place + 1]! ^= times(factor, EXP[n]!);
    });
    generator = next;
  }
  const rest = [...data, ...new Array<number>(count).fill(0)];
  for (let place = 0; place < data.length; place += 1) {
    const factor = rest[place]!;
    if (factor) generator.forEach((one, n) => (rest[place + n]! ^= times(one, factor)));
  }
  return rest.slice(data.length);
}

function codewords(bytes: Uint8Array, version: number): number[] {
  const [ecc, blocks] = VERSIONS[version - 1]!;
  const room = blocks.reduce((sum, [count, each]) => sum + count * each, 0);
  const bits: number[] = [];
  const put = (value: number, wide: number) => {
    for (let bit = wide - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  put(4, 4);
  put(bytes.length, version < LONG ? 8 : 16);
  bytes.forEach((byte) => put(byte, 8));
  put(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data: number[] = [];
  for (let place = 0; place < bits.length; place += 8) data.push(bits.slice(place, place + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  for (let pad = 0; data.length < room; pad += 1) data.push(pad % 2 ? 0x11 : 0xec);
  const parts: number[][] = [];
  let from = 0;
  for (const [count, each] of blocks) for (let n = 0; n < count; n += 1) parts.push(data.slice(from, (from += each)));
  const checks = parts.map((part) => correction(part, ecc));
  const woven: number[] = [];
  for (let place = 0; place < Math.max(...parts.map((part) => part.length)); place += 1) for (const part of parts) if (place < part.length) woven.push(part[place]!);
  for (let place = 0; place < ecc; place += 1) for (const check of checks) woven.push(check[place]!);
  return woven;
}

const MASKS: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

type Grid = (boolean | null)[][];

function bch(value: number, degree: number, generator: number): number {
  let rest = value << degree;
  for (let bit = 31 - Math.clz32(rest); bit >= degree; bit = 31 - Math.clz32(rest)) rest ^= generator << (bit - degree);
  return (value << degree) | rest;
}

/** The fixed parts: finders, timing, alignment, version; null where data goes. */
function frame(version: number): Grid {
  const size = 17 + version * 4;
  const grid: Grid = Array.from({ length: size }, () => new Array<boolean | null>(size).fill(null));
  const set = (x: number, y: number, dark: boolean) => {
    if (x >= 0 && y >= 0 && x < size && y < size) grid[y]![x] = dark;
  };
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    for (let dy = -4; dy <= 4; dy += 1) for (let dx = -4; dx <= 4; dx += 1) set(cx + dx, cy + dy, ![2, 4].includes(Math.max(Math.abs(dx), Math.abs(dy))));
  }
  for (let n = 8; n < size - 8; n += 1) {
    set(n, 6, n % 2 === 0);
    set(6, n, n % 2 === 0);
  }
  const centres = ALIGNED[version - 1]!;
  const last = centres.length - 1;
  centres.forEach((cy, row) => centres.forEach((cx, column) => {
    if ((row === 0 && column === 0) || (row === 0 && column === last) || (row === last && column === 0)) return;
    for (let dy = -2; dy <= 2; dy += 1) for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }));
  for (let n = 0; n < 9; n += 1) {
    if (grid[8]![n] === null) set(n, 8, false);
    if (grid[n]![8] === null) set(8, n, false);
    if (n < 8) {
      set(size - 1 - n, 8, false);
      set(8, size - 1 - n, false);
    }
  }
  set(8, size - 8, true);
  if (version >= 7) {
    const told = bch(version, 12, 0x1f25);
    for (let n = 0; n < 18; n += 1) {
      const dark = ((told >> n) & 1) === 1;
      set(size - 11 + (n % 3), Math.floor(n / 3), dark);
      set(Math.floor(n / 3), size - 11 + (n % 3), dark);
    }
  }
  return grid;
}

function masked(version: number, bits: number[], mask: number): boolean[][] {
  const fixed = frame(version);
  const size = fixed.length;
  const grid = fixed.map((row) => row.map((dark) => dark ?? false));
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y]![x] !== null) continue;
        grid[y]![x] = (bits[at] ?? 0) === 1 !== MASKS[mask]!(x, y);
        at += 1;
      }
    }
  }
  // Error correction M is 00; the mask stands in the three bits after it.
  const told = bch(mask, 10, 0x537) ^ 0x5412;
  for (let n = 0; n < 15; n += 1) {
    const dark = ((told >> n) & 1) === 1;
    grid[n < 6 ? n : n < 8 ? n + 1 : size - 15 + n]![8] = dark;
    grid[8]![n < 8 ? size - 1 - n : n === 8 ? 7 : 14 - n] = dark;
  }
  grid[size - 8]![8] = true;
  return grid;
}

function penalty(grid: boolean[][]): number {
  const size = grid.length;
  let sum = 0;
  let darks = 0;
  const lines = [...grid, ...grid.map((_, x) => grid.map((row) => row[x]!))];
  for (const line of lines) {
    let run = 1;
    for (let n = 1; n <= size; n += 1) {
      if (n < size && line[n] === line[n - 1]) run += 1;
      else {
        if (run >= 5) sum += run - 2;
        run = 1;
      }
    }
    const text = line.map((dark) => (dark ? "1" : "0")).join("");
    sum += 40 * (text.split(/(?=10111010000)/).length - 1 + (text.split(/(?=00001011101)/).length - 1));
  }
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (grid[y]![x]) darks += 1;
      if (x && y && grid[y]![x] === grid[y - 1]![x] && grid[y]![x] === grid[y]![x - 1] && grid[y]![x] === grid[y - 1]![x - 1]) sum += 3;
    }
  }
  return sum + 10 * Math.floor(Math.abs((darks * 20) / (size * size) - 10));
}

/** Dark modules of the QR code of a text; null where it is too long (666 bytes). */
export function qrModules(text: string): boolean[][] | null {
  const bytes = new TextEncoder().encode(text);
  const version = VERSIONS.findIndex(([, blocks], n) => blocks.reduce((sum, [count, each]) => sum + count * each, 0) - (n + 1 < LONG ? 2 : 3) >= bytes.length) + 1;
  if (version === 0) return null;
  const bits = codewords(bytes, version).flatMap((word) => Array.from({ length: 8 }, (_, n) => (word >> (7 - n)) & 1));
  return MASKS.map((_, mask) => masked(version, bits, mask)).sort((a, b) => penalty(a) - penalty(b))[0]!;
}

/** The code as the path of an SVG of `size` by `size`. */
export function qrPath(text: string): { size: number; path: string } | null {
  const grid = qrModules(text);
  if (!grid) return null;
  const path = grid.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return { size: grid.length, path };
}
