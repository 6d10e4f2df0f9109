// The map's drawing: bitmaps somewhat larger than the view. The page moves and stretches them; they are drawn anew where they no longer
// fit, one in each picture, so that none waits long.
import L from "leaflet";
import type { Outline, Spot } from "./ground.ts";

export interface View {
  zoom: number;
  /** The bitmap's corner and size in pixels of that zoom. */
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Sheet {
  canvas: HTMLCanvasElement;
  draw: (context: CanvasRenderingContext2D, view: View) => void;
  view: View | null;
  stale: boolean;
}

/** How much of the view is drawn beyond each of its edges, and how little of that may be left before more is drawn. */
const BEYOND = 0.4;
const LEFT_PX = 24;

export class Sheets {
  private readonly sheets: Sheet[] = [];
  private readonly last: (() => void)[] = [];
  private waiting = 0;
  private due = 0;

  constructor(private readonly map: L.Map) {
    map.on("zoomanim", this.stretch, this);
    map.on("move zoom viewreset zoomend moveend resize", this.follow, this);
  }

  /** A bitmap above the others. */
  add(draw: Sheet["draw"]): number {
    const canvas = L.DomUtil.create("canvas", "sheet-canvas leaflet-zoom-animated", this.map.getPanes().overlayPane) as HTMLCanvasElement;
    return this.sheets.push({ canvas, draw, view: null, stale: true }) - 1;
  }

  /** What is done after the bitmaps are drawn. */
  after(act: () => void): void {
    this.last.push(act);
  }

  /** Draw one (or what comes after) anew with the next picture. */
  renew(which?: number): void {
    if (which !== undefined) this.sheets[which]!.stale = true;
    this.due = this.last.length;
    this.schedule();
  }

  /** Draw all anew at once, on new bitmaps: before a page is put on paper there is no next picture, and on paper what is wiped is white. */
  finish(): void {
    for (const sheet of this.sheets) {
      sheet.canvas.width = 0;
      sheet.stale = true;
    }
    while (this.due > 0 || this.sheets.some((one) => one.stale)) this.step();
  }

  remove(): void {
    cancelAnimationFrame(this.waiting);
    this.map.off("zoomanim", this.stretch, this);
    this.map.off("move zoom viewreset zoomend moveend resize", this.follow, this);
    for (const sheet of this.sheets) sheet.canvas.remove();
  }

  private schedule(): void {
    if (!this.waiting) this.waiting = requestAnimationFrame(this.turn);
  }

  private readonly turn = (): void => {
    this.waiting = 0;
    // While the page stretches what is there, nothing is drawn.
    if ((this.map as unknown as { _animatingZoom?: boolean })._animatingZoom) return;
    this.step();
    if (this.due > 0) this.schedule();
  };

  private step(): void {
    const sheet = this.sheets.find((one) => one.stale);
    if (sheet) {
      this.paint(sheet);
      this.due = this.last.length;
    } else if (this.due > 0) this.last[this.last.length - this.due--]!();
  }

  private paint(sheet: Sheet): void {
    const size = this.map.getSize();
    const zoom = this.map.getZoom();
    const corner = this.map.containerPointToLayerPoint([-size.x * BEYOND, -size.y * BEYOND]).add(this.map.getPixelOrigin());
    // Thinned dots stay where they are from one bitmap to the next.
    const [left, top] = [Math.floor(corner.x / 6) * 6, Math.floor(corner.y / 6) * 6];
    const view = { zoom, left, top, width: Math.ceil(size.x * (1 + 2 * BEYOND)) + 6, height: Math.ceil(size.y * (1 + 2 * BEYOND)) + 6 };
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const { canvas } = sheet;
    const [wide, high] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    const context = canvas.getContext("2d")!;
    if (canvas.width !== wide || canvas.height !== high) {
      [canvas.width, canvas.height] = [wide, high];
      canvas.style.width = `${view.width}px`;
      canvas.style.height = `${view.height}px`;
    } else {
      context.resetTransform();
      context.clearRect(0, 0, wide, high);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    sheet.view = view;
    sheet.stale = false;
    sheet.draw(context, view);
    this.place(sheet);
  }

  /** Where a bitmap lies now, whatever zoom it was drawn for. */
  private place(sheet: Sheet): void {
    if (!sheet.view) return;
    const scale = this.map.getZoomScale(this.map.getZoom(), sheet.view.zoom);
    const origin = this.map.getPixelOrigin();
    L.DomUtil.setTransform(sheet.canvas, L.point(sheet.view.left * scale - origin.x, sheet.view.top * scale - origin.y), scale);
  }

  private stretch(event: L.LeafletEvent): void {
    const { zoom, center } = event as L.ZoomAnimEvent;
    const origin = this.map.project(center, zoom).subtract(this.map.getSize().divideBy(2)).subtract(L.DomUtil.getPosition(this.map.getPane("mapPane")!)).round();
    for (const sheet of this.sheets) {
      if (!sheet.view) continue;
      const scale = this.map.getZoomScale(zoom, sheet.view.zoom);
      L.DomUtil.setTransform(sheet.canvas, L.point(sheet.view.left * scale - origin.x, sheet.view.top * scale - origin.y), scale);
    }
  }

  private follow(event: L.LeafletEvent): void {
    const corner = this.map.containerPointToLayerPoint([0, 0]).add(this.map.getPixelOrigin());
    const size = this.map.getSize();
    const zoom = this.map.getZoom();
    for (const sheet of this.sheets) {
      if (event.type !== "move") this.place(sheet);
      const view = sheet.view;
      const fits = view !== null && view.zoom === zoom && corner.x - view.left >= LEFT_PX && corner.y - view.top >= LEFT_PX && view.left + view.width - corner.x - size.x >= LEFT_PX && view.top + view.height - corner.y - size.y >= LEFT_PX;
      if (fits) continue;
      // A hand that spreads two fingers sees the old bitmap stretched until it rests.
      if (view !== null && view.zoom !== zoom && event.type !== "zoomend" && event.type !== "moveend" && event.type !== "viewreset") continue;
      this.renew(this.sheets.indexOf(sheet));
    }
    if (this.due > 0) this.schedule();
  }
}

/** Cells in their colours with white borders, as many at once as share a colour. */
export function paintCells(context: CanvasRenderingContext2D, view: View, outlines: readonly Outline[], colour: (one: Outline) => string): void {
  const scale = 2 ** view.zoom;
  const seen = outlines.filter((one) => inView(one, view, scale));
  const groups = new Map<string, Outline[]>();
  for (const one of seen) {
    const paint = colour(one);
    if (!groups.has(paint)) groups.set(paint, []);
    groups.get(paint)!.push(one);
  }
  context.globalAlpha = 0.94;
  for (const [paint, members] of groups) {
    context.fillStyle = paint;
    for (const one of members) {
      context.beginPath();
      trace(context, one, view, scale);
      context.fill("evenodd");
    }
  }
  context.globalAlpha = 1;
  context.strokeStyle = "#ffffff";
  context.lineJoin = "round";
  // Where cells are small, thin borders leave more of their colour.
  context.lineWidth = seen.length > 400 ? 1 : 1.4;
  for (const one of seen) {
    context.beginPath();
    trace(context, one, view, scale);
    context.stroke();
  }
}

/** One cell's border, to stand out. */
export function paintBorder(context: CanvasRenderingContext2D, view: View, outline: Outline, colour: string): void {
  context.beginPath();
  trace(context, outline, view, 2 ** view.zoom);
  context.strokeStyle = colour;
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.stroke();
}

function inView(one: Outline, view: View, scale: number): boolean {
  return one.right * scale >= view.left && one.left * scale <= view.left + view.width && one.bottom * scale >= view.top && one.top * scale <= view.top + view.height;
}

function trace(context: CanvasRenderingContext2D, outline: Outline, view: View, scale: number): void {
  for (const ring of outline.at(view.zoom)) {
    context.moveTo(ring[0]! * scale - view.left, ring[1]! * scale - view.top);
    for (let k = 2; k < ring.length; k += 2) context.lineTo(ring[k]! * scale - view.left, ring[k + 1]! * scale - view.top);
    context.closePath();
  }
}

/** Dots: small ones as squares, larger ones as discs with a white rim. */
export function paintSpots(context: CanvasRenderingContext2D, spots: readonly Spot[], looks: readonly { colour: string; size: number }[], shrink: number): void {
  looks.forEach(({ colour, size }, look) => {
    const radius = size * shrink;
    context.fillStyle = colour;
    context.globalAlpha = 0.95;
    if (radius <= 2) {
      for (const spot of spots) if (spot.look === look) context.fillRect(spot.x - radius, spot.y - radius, 2 * radius, 2 * radius);
      return;
    }
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1;
    for (const spot of spots) {
      if (spot.look !== look) continue;
      context.beginPath();
      context.arc(spot.x, spot.y, radius, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  });
  context.globalAlpha = 1;
}
