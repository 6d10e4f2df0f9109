// Places on a cell's border by their number, for whoever cuts a cell without a mouse.
import { t } from "../../words/index.ts";
import { type Shape, toDegrees } from "./topology.ts";

export interface Spot {
  label: string;
  /** Longitude and latitude. */
  at: [number, number];
}

/** The corners of the outer borders and the middles between them, round the border; corners have the numbers that they have on the map. */
export function spotsOf(shape: Shape): Spot[] {
  return shape.polygons.flatMap(([ring = []]) => ring.flatMap((corner, n) => {
    const next = ring[(n + 1) % ring.length]!;
    const spot = (label: string, x: number, y: number): Spot => {
      const at: [number, number] = [toDegrees(x), toDegrees(y)];
      return { label: `${label} (${at.map((one) => one.toFixed(5)).join(", ")})`, at };
    };
    return [
      spot(t("cells.corner", { n: n + 1 }), corner.x, corner.y),
      spot(t("cells.middleOf", { n: n + 1, m: ((n + 1) % ring.length) + 1 }), Math.round((corner.x + next.x) / 2), Math.round((corner.y + next.y) / 2)),
    ];
  }));
}

/** About 20 cm in degrees. */
const BEYOND = 0.000002;

/** The cut between two places, a little beyond both: a rounded place may lie just within the border, and a cut must reach it. */
export function cutBetween(a: [number, number], b: [number, number]): [number, number][] {
  const far = Math.hypot(b[0] - a[0], b[1] - a[1]);
  if (!far) return [a];
  const [dx, dy] = [((b[0] - a[0]) / far) * BEYOND, ((b[1] - a[1]) / far) * BEYOND];
  return [[a[0] - dx, a[1] - dy], [b[0] + dx, b[1] + dy]];
}
