// Datums: everything is kept in CGCS2000 degrees, longitude first. The twin of geo/datum.py and geo/china_offset.py.
// WGS-84 and CGCS2000 are taken as equal. Nothing guesses a datum (L2).

export type Datum = "wgs84" | "cgcs2000" | "gcj02" | "bd09";
export type Pair = readonly [lon: number, lat: number];

export const DATUMS: readonly Datum[] = ["wgs84", "cgcs2000", "gcj02", "bd09"];
/** Kept beside every converted pair; a change of any formula needs a new one. */
export const CONVERTER_VERSION = "1";
const UNITS_PER_DEGREE = 10_000_000;

/** Grid units of 1e-7 degree. */
export const snap = (degrees: number): number => Math.floor(degrees * UNITS_PER_DEGREE + 0.5);
/** The same coordinate rounded to the grid, in degrees. */
export const snapDegrees = (degrees: number): number => snap(degrees) / UNITS_PER_DEGREE;

const AXIS_M = 6378245.0; // Krasovsky 1940
const ECCENTRICITY2 = 0.00669342162296594323;
const BD_TURN = (Math.PI * 3000.0) / 180.0;
const GCJ_STEPS = 5;
const BD_STEPS = 6;

const inBox = (lon: number, lat: number): boolean => lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;

function gcjShift(lon: number, lat: number): Pair {
  const { sin, cos, sqrt, abs, PI } = Math;
  const x = lon - 105.0;
  const y = lat - 35.0;
  const root = sqrt(abs(x));
  const waves = 20.0 * sin(6.0 * PI * x) + 20.0 * sin(2.0 * PI * x);
  let north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
  north += ((waves + 20.0 * sin(PI * y) + 40.0 * sin((PI * y) / 3.0)) * 2.0) / 3.0;
  north += ((160.0 * sin((PI * y) / 12.0) + 320.0 * sin((PI * y) / 30.0)) * 2.0) / 3.0;
  let east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
  east += ((waves + 20.0 * sin(PI * x) + 40.0 * sin((PI * x) / 3.0)) * 2.0) / 3.0;
  east += ((150.0 * sin((PI * x) / 12.0) + 300.0 * sin((PI * x) / 30.0)) * 2.0) / 3.0;
  const phi = lat * (PI / 180.0);
  const flattening = 1.0 - ECCENTRICITY2 * sin(phi) * sin(phi);
  const meridianM = (AXIS_M * (1.0 - ECCENTRICITY2)) / (flattening * sqrt(flattening));
  const parallelM = (AXIS_M / sqrt(flattening)) * cos(phi);
  return [(east * (180.0 / PI)) / parallelM, (north * (180.0 / PI)) / meridianM];
}

function wgsToGcj([lon, lat]: Pair): Pair {
  if (!inBox(lon, lat)) return [lon, lat];
  const [east, north] = gcjShift(lon, lat);
  return [lon + east, lat + north];
}

function gcjToWgs([lon, lat]: Pair): Pair {
  if (!inBox(lon, lat)) return [lon, lat];
  let [atLon, atLat]: Pair = [lon, lat];
  for (let step = 0; step < GCJ_STEPS; step++) {
    const [east, north] = gcjShift(atLon, atLat);
    [atLon, atLat] = [lon - east, lat - north];
  }
  return [atLon, atLat];
}

function gcjToBd([lon, lat]: Pair): Pair {
  const radius = Math.sqrt(lon * lon + lat * lat) + 0.00002 * Math.sin(lat * BD_TURN);
  const angle = Math.atan2(lat, lon) + 0.000003 * Math.cos(lon * BD_TURN);
  return [radius * Math.cos(angle) + 0.0065, radius * Math.sin(angle) + 0.006];
}

function bdToGcj([lon, lat]: Pair): Pair {
  let [atLon, atLat]: Pair = [lon - 0.0065, lat - 0.006];
  for (let step = 0; step < BD_STEPS; step++) {
    const [gotLon, gotLat] = gcjToBd([atLon, atLat]);
    [atLon, atLat] = [atLon + (lon - gotLon), atLat + (lat - gotLat)];
  }
  return [atLon, atLat];
}

/** Degrees of a declared datum as CGCS2000, not snapped; within 1 mm. */
export function toCgcs2000(lon: number, lat: number, datum: Datum): Pair {
  let pair: Pair = [lon, lat];
  if (datum === "bd09") pair = bdToGcj(pair);
  return datum === "bd09" || datum === "gcj02" ? gcjToWgs(pair) : pair;
}

/** CGCS2000 degrees in another datum: for maps of services that draw GCJ-02 or BD-09. */
export function fromCgcs2000(lon: number, lat: number, datum: Datum): Pair {
  const pair: Pair = [lon, lat];
  if (datum === "gcj02") return wgsToGcj(pair);
  return datum === "bd09" ? gcjToBd(wgsToGcj(pair)) : pair;
}

/** Length in metres of one degree of longitude and of latitude. */
export function metresPerDegree(lat: number): Pair {
  const phi = (lat * Math.PI) / 180;
  const flattening = 1.0 - 0.00669437999014 * Math.sin(phi) ** 2;
  const parallelM = (6378137.0 / Math.sqrt(flattening)) * Math.cos(phi);
  const meridianM = (6378137.0 * (1.0 - 0.00669437999014)) / flattening ** 1.5;
  return [(parallelM * Math.PI) / 180, (meridianM * Math.PI) / 180];
}
