// The ground without a basemap: cells, buildings, where I am. Canvas, so that old phones keep up.
import "leaflet/dist/leaflet.css";
import L from "leaflet";
import type { CellFeature, RecordView } from "@shared/engine/index.ts";
import { pointOf } from "../model/fix.ts";

const CELL = { color: "#0b5a48", weight: 3, fillColor: "#bfe3d1", fillOpacity: 0.35 };

/** An empty map on an element. */
export function makeMap(element: HTMLElement, labels: { in: string; out: string }): L.Map {
  const map = L.map(element, { preferCanvas: true, zoomControl: false, attributionControl: false, maxZoom: 21, minZoom: 12, zoomSnap: 0.25, zoomDelta: 1 });
  L.control.zoom({ position: "topright", zoomInTitle: labels.in, zoomOutTitle: labels.out }).addTo(map);
  return map;
}

/** Cells with their names; the map shows all of them, or `at` from near. Without either it stays where nothing is. */
export function drawCells(map: L.Map, cells: readonly CellFeature[], at: { lon: number; lat: number } | null = null): void {
  const layer = L.geoJSON(cells as never, { style: () => CELL, interactive: false });
  // A marker has no element before the map shows a place.
  if (at) map.setView([at.lat, at.lon], 19);
  else if (cells.length > 0) map.fitBounds(layer.getBounds(), { padding: [20, 20] });
  else map.setView([0, 0], 12);
  layer.eachLayer((one) => {
    const properties = (one as L.Polygon & { feature: CellFeature }).feature.properties;
    if (properties.label_lat !== null && properties.label_lon !== null) {
      L.marker([properties.label_lat, properties.label_lon], { interactive: false, keyboard: false, icon: L.divIcon({ className: "cell-name", html: "", iconSize: [120, 24] }) })
        .addTo(map)
        .getElement()
        ?.replaceChildren(properties.name || properties.code);
    }
  });
  layer.addTo(map);
}

/** One dot for each building, coloured by what is to be done there. */
export function drawBuildings(map: L.Map, buildings: readonly { view: RecordView; name: string; due: number; total: number }[], tapped: (id: string) => void): void {
  for (const { view, name, due, total } of buildings) {
    const at = pointOf(view.fields["anchor"]);
    if (!at) continue;
    const marker = L.marker([at.lat, at.lon], { title: name, alt: name, icon: L.divIcon({ className: `building ${due === 0 ? "done" : due * 2 > total ? "much" : "some"}`, html: "", iconSize: [38, 28] }) }).addTo(map);
    const element = marker.getElement();
    if (element) element.textContent = String(view.fields["number"] ?? name);
    marker.on("click", () => tapped(view.id));
  }
}

/** My position with the circle that it is sure of. */
export function drawMe(map: L.Map, at: { lon: number; lat: number }, accuracyM: number): L.LayerGroup {
  return L.layerGroup([
    L.circle([at.lat, at.lon], { radius: accuracyM, color: "#0a4f8f", weight: 2, fillOpacity: 0.15, interactive: false }),
    L.circleMarker([at.lat, at.lon], { radius: 8, color: "#fff", weight: 3, fillColor: "#0a4f8f", fillOpacity: 1, interactive: false }),
  ]).addTo(map);
}

export { L };
