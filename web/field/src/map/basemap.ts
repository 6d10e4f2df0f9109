// The kept basemap below the cells. Loaded only where one is kept; pictures are drawn here, vector tiles by a chunk of their own.
import L from "leaflet";
import { PMTiles } from "pmtiles";
import { keptBytes, type Basemap } from "./kept.ts";

const TYPES: Record<number, string> = { 2: "image/png", 3: "image/jpeg", 4: "image/webp" };

/** Draw it on a map; the layer, to take it away again. */
export async function drawBasemap(map: L.Map, basemap: Basemap, language: string): Promise<L.Layer> {
  const archive = new PMTiles(keptBytes(basemap));
  const [header, about] = await Promise.all([archive.getHeader(), archive.getMetadata() as Promise<{ attribution?: string; vector_layers?: { id: string }[] }>]);
  const [west, south, east, north] = basemap.bounds;
  const options: L.GridLayerOptions & { attribution: string } = {
    bounds: [[south, west], [north, east]], minZoom: 0, maxZoom: 21, noWrap: true, attribution: plain(about.attribution ?? ""), className: "basemap",
  };
  const layer: L.Layer =
    basemap.kind === "vector"
      ? (await import("./vector.ts")).vectorLayer({ archive, layers: (about.vector_layers ?? []).map((one) => one.id), language, maxZoom: basemap.max_zoom, options })
      : new Pictures(archive, TYPES[header.tileType] ?? "", { ...options, minNativeZoom: basemap.min_zoom, maxNativeZoom: basemap.max_zoom });
  if (options.attribution && !map.attributionControl) L.control.attribution({ prefix: false, position: "topleft" }).addTo(map);
  return layer.addTo(map);
}

/** Whose map it is, as words: what stands in the file is never taken for HTML. */
function plain(attribution: string): string {
  const text = new DOMParser().parseFromString(attribution, "text/html").body.textContent ?? "";
  const element = document.createElement("span");
  element.textContent = text.trim();
  return element.innerHTML;
}

class Pictures extends L.GridLayer {
  constructor(private readonly archive: PMTiles, private readonly type: string, options: L.GridLayerOptions) {
    super(options);
  }

  override createTile({ z, x, y }: L.Coords, done: L.DoneCallback): HTMLElement {
    const picture = document.createElement("img");
    picture.alt = "";
    const show = async (): Promise<void> => {
      const tile = await this.archive.getZxy(z, x, y);
      if (!tile) return done(undefined, picture);
      const address = URL.createObjectURL(new Blob([tile.data], { type: this.type }));
      picture.onload = picture.onerror = () => {
        URL.revokeObjectURL(address);
        done(undefined, picture);
      };
      picture.src = address;
    };
    show().catch((error: unknown) => done(error as Error, picture));
    return picture;
  }
}
