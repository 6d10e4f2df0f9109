// Whatever map is shown: the basemap that is kept lies below it. Without one nothing more is loaded.
import type { Layer, Map as LeafletMap } from "leaflet";
import { language } from "../i18n.ts";
import { keptBasemap, type Basemap } from "./kept.ts";

/** Draw the kept basemap; null where there is none, or what is kept cannot be read. */
export async function underlay(map: LeafletMap): Promise<{ basemap: Basemap; layer: Layer } | null> {
  try {
    const basemap = await keptBasemap();
    if (!basemap) return null;
    const { drawBasemap } = await import("./basemap.ts");
    return { basemap, layer: await drawBasemap(map, basemap, language()) };
  } catch (error) {
    // Cells and buildings do not need it; the sheet of the basemap offers it again.
    console.warn("the basemap cannot be drawn", error);
    return null;
  }
}
