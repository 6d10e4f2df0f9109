// Where the phone is. Its position has a datum, a radius and a time, and is never taken for more than it is.
import type { Value } from "@shared/engine/index.ts";

/** A position of the phone. Browsers give WGS 84 and the radius that holds 95 % … of what they believe. */
export interface Fix {
  lon: number;
  lat: number;
  datum: "wgs84";
  accuracy_m: number;
  confidence: 0.95;
  method: "gps";
  at: string;
}

/** So long a phone is given for its first position. */
export const GPS_WAIT_MS = 15_000;

/** Ask the phone once. On refusal or silence: the key of the words that say so. */
export function wherever(): Promise<Fix | { says: string }> {
  if (!("geolocation" in navigator)) return Promise.resolve({ says: "find.gps.none" });
  return new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve(fixOf(coords)),
      (error) => resolve({ says: error.code === error.PERMISSION_DENIED ? "find.gps.refused" : "find.gps.silent" }),
      { enableHighAccuracy: true, timeout: GPS_WAIT_MS, maximumAge: 10_000 },
    );
  });
}

/** A fix out of what the browser says. */
export function fixOf(coords: GeolocationCoordinates): Fix {
  const rounded = (degrees: number) => Math.round(degrees * 1e7) / 1e7;
  return {
    lon: rounded(coords.longitude), lat: rounded(coords.latitude), datum: "wgs84", accuracy_m: Math.max(1, Math.round(coords.accuracy)),
    confidence: 0.95, method: "gps", at: new Date().toISOString(),
  };
}

/** lon and lat of a location value; null where there is none. */
export function pointOf(value: Value | undefined): { lon: number; lat: number } | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { lon, lat } = value as Record<string, Value>;
  return typeof lon === "number" && typeof lat === "number" ? { lon, lat } : null;
}

/** Metres between two points that are at most some kilometres apart. */
export function metresBetween({ from, to }: { from: { lon: number; lat: number }; to: { lon: number; lat: number } }): number {
  const east = (to.lon - from.lon) * 111_320 * Math.cos((from.lat * Math.PI) / 180);
  return Math.hypot(east, (to.lat - from.lat) * 110_950);
}
