// What the months tell: the lines of the chart, the columns of the table, and the list behind each figure.
import type { TrendPoint } from "../../api/types.ts";
import { figureOf, type Figure } from "../../figures.ts";

interface Line {
  name: string;
  colour: string;
  /** The figure whose list is behind a point; dwellings that were surveyed make no list of their own. */
  figure: Figure | null;
}

const LINES: Line[] = [
  { name: "residents", colour: "#175a6b", figure: figureOf("count_resident_person") },
  { name: "households", colour: "#c77700", figure: figureOf("count_household") },
  { name: "dwellings", colour: "#7a5ea8", figure: figureOf("count_dwelling") },
  { name: "surveyed", colour: "#3d8f5f", figure: null },
  { name: "aged", colour: "#a8281c", figure: figureOf("aged_60") },
];

/** The figures that some month has. */
export const linesOf = (trend: TrendPoint[]): Line[] => LINES.filter(({ name }) => trend.some((point) => (point.figures[name] ?? null) !== null));

/** The day whose list is behind a point; null for today's, which is of now. */
export const dayOf = (point: TrendPoint, now: string): string | null => (point.day === now ? null : point.day);
