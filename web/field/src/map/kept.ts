// The customer's basemap on this phone: fetched once, when the person says so, in pieces that stay when the line breaks.
import { BASEMAP_CACHE as CACHE, EngineError, type Engine } from "@shared/engine/index.ts";

/** What the server says of its basemap. */
export interface Basemap {
  version: string;
  size: number;
  kind: "vector" | "raster";
  min_zoom: number;
  max_zoom: number;
  bounds: [west: number, south: number, east: number, north: number];
  href: string;
}

const PIECE = 1 << 20;
/** Records and photos come first: a map never takes the last of the phone's room. */
const ROOM_LEFT = 60e6;

const ABOUT = "/basemap/about";
const pieceName = (version: string, number: number): string => `/basemap/${version}/${number}`;
const pieces = ({ size }: Basemap): number => Math.ceil(size / PIECE);
const canKeep = (): boolean => "caches" in globalThis;

/** The basemap that lies on this phone as a whole; null where there is none. */
export async function keptBasemap(): Promise<Basemap | null> {
  if (!canKeep() || !(await caches.has(CACHE))) return null;
  const found = await (await caches.open(CACHE)).match(ABOUT);
  return found ? ((await found.json()) as Basemap) : null;
}

/** What the server has; null without one, and without a network. */
export async function offeredBasemap(engine: Engine): Promise<Basemap | null> {
  if (!canKeep()) return null;
  try {
    return ((await engine.fetch("/api/v1/basemap")).body["basemap"] as Basemap | null | undefined) ?? null;
  } catch (error) {
    if (error instanceof EngineError) return null;
    throw error;
  }
}

/** Whether it fits beside everything else; true where the browser does not tell. */
export async function hasRoom(basemap: Basemap): Promise<boolean> {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  return quota === undefined || usage === undefined || quota - usage > basemap.size + ROOM_LEFT;
}

export type Fetched = "whole" | "stopped" | "changed" | "full";

/** Fetch what is missing. `told` hears how many bytes are here; pieces that are here stay, whatever comes. */
export async function fetchBasemap(engine: Engine, basemap: Basemap, told: (bytes: number) => void, stop: AbortSignal): Promise<Fetched> {
  if (!(await hasRoom(basemap))) return "full";
  const cache = await caches.open(CACHE);
  for (let number = 0; number < pieces(basemap); number++) {
    const [from, to] = [number * PIECE, Math.min(basemap.size, (number + 1) * PIECE)];
    const name = pieceName(basemap.version, number);
    if (!(await cache.match(name))) {
      if (stop.aborted) return "stopped";
      try {
        const { status, headers, content } = await engine.fetch(basemap.href, { range: `bytes=${from}-${to - 1}`, accept: "*/*" });
        const isWhole = status === 206 || (number === 0 && to === basemap.size);
        if (headers["etag"] !== `"${basemap.version}"` || !isWhole || content?.length !== to - from) return "changed";
        await cache.put(name, new Response(content));
      } catch (error) {
        if (error instanceof DOMException && error.name === "QuotaExceededError") return "full";
        if (error instanceof EngineError) return error.problem?.details?.["status"] === 404 ? "changed" : "stopped";
        throw error;
      }
    }
    told(to);
  }
  await cache.put(ABOUT, new Response(JSON.stringify(basemap)));
  for (const one of await cache.keys()) {
    const { pathname } = new URL(one.url);
    if (pathname !== ABOUT && !pathname.startsWith(`/basemap/${basemap.version}/`)) await cache.delete(one);
  }
  return "whole";
}

/** Take it off this phone. */
export async function forgetBasemap(): Promise<void> {
  if (canKeep()) await caches.delete(CACHE);
}

/** Bytes of the kept file, for the reader of PMTiles. */
export function keptBytes(basemap: Basemap): { getKey(): string; getBytes(offset: number, length: number): Promise<{ data: ArrayBuffer }> } {
  return {
    getKey: () => basemap.version,
    async getBytes(offset, length) {
      const cache = await caches.open(CACHE);
      const end = Math.min(offset + length, basemap.size);
      const parts: Blob[] = [];
      for (let number = Math.floor(offset / PIECE); number * PIECE < end; number++) {
        const piece = await (await cache.match(pieceName(basemap.version, number)))?.blob();
        if (!piece) throw new Error("a piece of the basemap is gone");
        parts.push(piece.slice(Math.max(0, offset - number * PIECE), end - number * PIECE));
      }
      return { data: await new Blob(parts).arrayBuffer() };
    },
  };
}
