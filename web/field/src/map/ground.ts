// The ground without a basemap: cells, buildings, where I am. Canvas, so that old phones keep up.
import "leaflet/dist/leaflet.css";
import L from "leaflet";
import type { CellFeature, RecordView } from "@shared/engine/index.ts";
import { metresBetween, pointOf } from "../model/fix.ts";

const CELL = { color: "#0b5a48", weight: 3, fillColor: "#bfe3d1", fillOpacity: 0.35 };
const MAYBE = { ...CELL, color: "#9a5b00", weight: 5, fillColor: "#ffd591" };
const NAME_PX = { x: 120, y: 24 };
/** Where the name of a cell may stand instead, pixels from its place; the first that no mark covers. */
const SHIFTS = [0, -26, 26, -52, 52].flatMap((y) => [0, -64, 64].map((x) => ({ x, y }))).sort((a, b) => Math.hypot(a.x, a.y) - Math.hypot(b.x, b.y));

/** An empty map on an element. */
export function makeMap(element: HTMLElement, labels: { in: string; out: string }): L.Map {
  const map = L.map(element, { preferCanvas: true, zoomControl: false, attributionControl: false, maxZoom: 21, minZoom: 12, zoomSnap: 0.25, zoomDelta: 1 });
  map.createPane("names").style.pointerEvents = "none";
  L.control.zoom({ position: "topright", zoomInTitle: labels.in, zoomOutTitle: labels.out }).addTo(map);
  return map;
}

/** Cells with their names; the map shows all of them, or `at` from near. Without either it stays where nothing is. Returns what marks the cells that a fix may be in. */
export function drawCells(map: L.Map, cells: readonly CellFeature[], at: { lon: number; lat: number } | null = null): (maybe: ReadonlySet<string>) => void {
  const layer = L.geoJSON(cells as never, { style: () => CELL, interactive: false });
  // A marker has no element before the map shows a place.
  if (at) map.setView([at.lat, at.lon], 19);
  else if (cells.length > 0) map.fitBounds(layer.getBounds(), { padding: [20, 20] });
  else map.setView([0, 0], 12);
  for (const { properties } of cells) {
    if (properties.label_lat === null || properties.label_lon === null) continue;
    L.marker([properties.label_lat, properties.label_lon], { interactive: false, keyboard: false, pane: "names", icon: L.divIcon({ className: "cell-name", html: "", iconSize: [NAME_PX.x, NAME_PX.y] }) })
      .addTo(map)
      .getElement()
      ?.replaceChildren(properties.name || properties.code);
  }
  layer.addTo(map);
  return (maybe) => layer.setStyle((cell) => (cell && maybe.has((cell as unknown as CellFeature).properties.cell_id) ? MAYBE : CELL));
}

/** What a number needs from its neighbour's, in pixels. */
const ROOM_PX = 40;

/** Metres to the next building, for the building in the middle of that order; endless for fewer than two. */
function spacing(points: readonly { lon: number; lat: number }[]): number {
  const some = points.filter((_, at) => at % Math.ceil(points.length / 60) === 0);
  const nearest = some.map((from) => Math.min(...points.filter((one) => one !== from).map((to) => metresBetween({ from, to })))).sort((a, b) => a - b);
  return nearest[nearest.length >> 1] ?? Infinity;
}

/** Numbers from the zoom on where they fit side by side, small dots before; names of cells keep clear of either. */
function tidy(map: L.Map, marks: readonly { lon: number; lat: number }[]): void {
  const metres = spacing(marks);
  const look = (): void => {
    const metresPerPixel = (40_075_016.686 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / 2 ** (map.getZoom() + 8);
    const areDots = metres / metresPerPixel < ROOM_PX;
    map.getContainer().classList.toggle("dots", areDots);
    const half = areDots ? { x: 7, y: 7 } : { x: 19, y: 14 };
    const places = marks.map((one) => map.latLngToLayerPoint([one.lat, one.lon]));
    map.eachLayer((one) => {
      const name = one instanceof L.Marker && one.options.pane === "names" ? one.getElement() : undefined;
      if (!name) return;
      const { x, y } = map.latLngToLayerPoint((one as L.Marker).getLatLng());
      const width = (name.textContent?.length ?? 0) * 8 + half.x;
      const covered = (by: { x: number; y: number }): number =>
        places.filter((mark) => Math.abs(mark.x - x - by.x) < width && Math.abs(mark.y - y - by.y) < NAME_PX.y / 2 + half.y).length;
      const best = SHIFTS.reduce((kept, one) => (covered(one) < covered(kept) ? one : kept));
      name.style.margin = `${best.y - NAME_PX.y / 2}px 0 0 ${best.x - NAME_PX.x / 2}px`;
    });
  };
  map.on("zoomend", look);
  look();
}

/** One mark for each building, coloured by what is to be done there. */
export function drawBuildings(map: L.Map, buildings: readonly { view: RecordView; name: string; due: number; total: number }[], tapped: (id: string) => void): void {
  for (const { view, name, due, total } of buildings) {
    const at = pointOf(view.fields["anchor"]);
    if (!at) continue;
    const marker = L.marker([at.lat, at.lon], { title: name, alt: name, icon: L.divIcon({ className: `building ${due === 0 ? "done" : due * 2 > total ? "much" : "some"}`, html: "", iconSize: [38, 28] }) }).addTo(map);
    const element = marker.getElement();
    if (element) element.textContent = String(view.fields["number"] ?? name);
    marker.on("click", () => tapped(view.id));
  }
  tidy(map, buildings.flatMap(({ view }) => pointOf(view.fields["anchor"]) ?? []));
}

/** My position with the circle that it is sure of. */
export function drawMe(map: L.Map, at: { lon: number; lat: number }, accuracyM: number): L.LayerGroup {
  return L.layerGroup([
    L.circle([at.lat, at.lon], { radius: accuracyM, color: "#0a4f8f", weight: 2, fillOpacity: 0.15, interactive: false }),
    L.circleMarker([at.lat, at.lon], { radius: 8, color: "#fff", weight: 3, fillColor: "#0a4f8f", fillOpacity: 1, interactive: false }),
  ]).addTo(map);
}

export { L };
