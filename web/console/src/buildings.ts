// Houses as dots, so that a cell is recognised by its streets. Places only: no personal fields.
import { address, get } from "./api/client.ts";
import type { CellFeature } from "./api/types.ts";
import type { Dot } from "./parts/CellMap.vue";

interface Found {
  features: { id: string; geometry: { type: string; coordinates: [number, number] } | null; properties: Record<string, unknown> }[];
  links: { rel: string; href: string }[];
}

const MOST = 50_000;

/** What the cells lie within: [west, south, east, north]; null where there are none. */
export function boxOf(cells: CellFeature[]): [number, number, number, number] | null {
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    if (typeof part[0] !== "number") return part.forEach(take);
    const [lon, lat] = part as [number, number];
    [box[0], box[1], box[2], box[3]] = [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
  };
  for (const cell of cells) take(cell.geometry.coordinates);
  return box[0] <= box[2] ? box : null;
}

/** Anchors of the buildings, all or within a box [west, south, east, north]; none where they cannot be had. */
export async function buildingDots(box: number[] | null, look: Partial<Dot>): Promise<Dot[]> {
  const dots: Dot[] = [];
  let next: string | null = address("/ogc/collections/buildings/items", { limit: 5000, bbox: box?.join(",") });
  try {
    while (next !== null && dots.length < MOST) {
      const found: Found = await get<Found>(next, { accept: "application/geo+json" });
      for (const one of found.features) {
        if (one.geometry?.type !== "Point") continue;
        const [lon, lat] = one.geometry.coordinates;
        dots.push({ lon, lat, id: one.id, title: String(one.properties.name ?? one.properties.number ?? ""), ...look });
      }
      const following: string | undefined = found.links.find((link) => link.rel === "next")?.href;
      next = following ? new URL(following).pathname + new URL(following).search : null;
    }
  } catch {
    return dots;
  }
  return dots;
}
