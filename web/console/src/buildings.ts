// Houses as dots, so that a cell is recognised by its streets. Places only: no personal fields.
import { address, get } from "./api/client.ts";
import type { Dot } from "./parts/CellMap.vue";

interface Found {
  features: { id: string; geometry: { type: string; coordinates: [number, number] } | null; properties: Record<string, unknown> }[];
  links: { rel: string; href: string }[];
}

const MOST = 50_000;

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
