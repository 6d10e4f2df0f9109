// Vector tiles below the cells. Tiles in Protomaps' own layers get their light style; any other layers pale ground and grey lines.
import L from "leaflet";
import type { PMTiles } from "pmtiles";
import { CenteredTextSymbolizer, GeomType, leafletLayer, LineLabelSymbolizer, LineSymbolizer, PolygonSymbolizer } from "protomaps-leaflet";

// The renderer builds its layer upon the global L that pages with script tags have.
(globalThis as { L?: typeof L }).L = L;

const THEIRS = ["earth", "roads", "water", "landuse"];
const INK = "#5b6a64";

/** The layer of an archive; `layers` are the names of the vector layers in it. */
export function vectorLayer(of: { archive: PMTiles; layers: string[]; language: string; maxZoom: number; options: L.GridLayerOptions }): L.Layer {
  const { archive, layers, language, maxZoom, options } = of;
  const isTheirs = THEIRS.filter((one) => layers.includes(one)).length > 1;
  const style = isTheirs ? { flavor: "light" } : { ...plainRules(layers), backgroundColor: "#f4f5f2" };
  return leafletLayer({ ...options, url: archive, lang: language, maxDataZoom: maxZoom, ...style } as never) as unknown as L.Layer;
}

function plainRules(layers: string[]) {
  const is = (shape: number) => (_zoom: number, feature?: { geomType: number }): boolean => feature?.geomType === shape;
  const text = { labelProps: ["name", "name:zh", "ref"], fill: INK, stroke: "white", width: 2, font: "500 13px sans-serif" };
  return {
    paintRules: layers.flatMap((dataLayer) => [
      { dataLayer, filter: is(GeomType.Polygon), symbolizer: new PolygonSymbolizer({ fill: /water/i.test(dataLayer) ? "#c3dbe8" : "#e3e6df", stroke: "#c6ccc4", width: 1 }) },
      { dataLayer, filter: is(GeomType.Line), symbolizer: new LineSymbolizer({ color: /water/i.test(dataLayer) ? "#9cc3d8" : "#b9c0b8", width: 2 }) },
    ]),
    labelRules: layers.flatMap((dataLayer) => [
      { dataLayer, filter: is(GeomType.Line), minzoom: 15, symbolizer: new LineLabelSymbolizer(text) },
      { dataLayer, filter: is(GeomType.Point), minzoom: 15, symbolizer: new CenteredTextSymbolizer(text) },
    ]),
  };
}
