// Outlines of buildings from a file of the user's own: borders snap to their corners, nothing of it is kept.
import { type Datum, toCgcs2000 } from "@shared/geo/datum.ts";
import { type Corner, toUnits } from "./topology.ts";

interface Drawing {
  type?: string;
  features?: { geometry?: { type?: string; coordinates?: unknown } | null }[];
}

/** Rings of every polygon of a GeoJSON collection in a datum, on the ground of the cells; an Error where it is none. */
export function readOutlines(read: unknown, datum: Datum): Corner[][] {
  const features = (read as Drawing | null)?.features;
  if (!Array.isArray(features)) throw new Error("not a FeatureCollection");
  const rings = features.flatMap(({ geometry }) => {
    if (geometry?.type === "Polygon") return geometry.coordinates as [number, number][][];
    if (geometry?.type === "MultiPolygon") return (geometry.coordinates as [number, number][][][]).flat();
    return [];
  });
  return rings.map((ring) => ring.slice(0, -1).map((corner) => {
    const [lon, lat] = toCgcs2000(corner[0], corner[1], datum);
    return { x: toUnits(lon), y: toUnits(lat) };
  }));
}
