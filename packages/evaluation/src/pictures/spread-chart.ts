import { classColours } from "./colours.ts";
import type { LinearScale } from "./linear-scale.ts";
import { linearScale, tickText } from "./linear-scale.ts";
import { element, INK, type Svg, svgDocument, text } from "./svg.ts";

/** Values of one kind, of several series: one column a series for each label. */
export interface SpreadPanel {
  /** What the axis counts: "accuracy (%)". */
  readonly unit: string;
  /** What is compared, along the axis. */
  readonly labels: readonly string[];
  /** For each series, for each label, the values whose mean and spread are drawn; none where there are none. */
  readonly values: readonly (readonly (readonly number[])[])[];
}

/** What has a colour. */
export interface SpreadSeries {
  readonly name: string;
}

export interface SpreadChart {
  readonly title: string;
  readonly series: readonly SpreadSeries[];
  readonly panels: readonly SpreadPanel[];
}

const WIDTH = 960;
const PLOT = { left: 64, right: WIDTH - 16, top: 16, height: 240 } as const;
const PANEL_HEIGHT = PLOT.top + PLOT.height + 44;
const TITLE_HEIGHT = 40;
const LEGEND_LINE = 20;
const GRID = "#e3e7eb";
const SOFT = "#5b6672";

/**
 * Means with their standard deviations (n - 1) as bars, and every single value as a dot: for each label of each panel
 * one column a series. Names and colours of the series stand below.
 */
export function spreadChart({ title, series, panels }: SpreadChart): Svg {
  const colours = classColours(series.length);
  const height = TITLE_HEIGHT + panels.length * PANEL_HEIGHT + series.length * LEGEND_LINE + 12;
  const drawn = panels.flatMap((panel, i) => drawPanel(panel, TITLE_HEIGHT + i * PANEL_HEIGHT, colours));
  const legendTop = TITLE_HEIGHT + panels.length * PANEL_HEIGHT;
  const legend = series.flatMap(({ name }, i) => {
    const y = legendTop + i * LEGEND_LINE + 12;
    return [dot(PLOT.left + 6, y - 4, 5, colours[i] ?? INK), text(PLOT.left + 20, y, clipped(name))];
  });
  const heading = text(PLOT.left, 26, title, { size: 16, weight: "bold" });
  return svgDocument(WIDTH, height, title, heading, ...drawn, ...legend);
}

function drawPanel({ unit, labels, values }: SpreadPanel, top: number, colours: readonly string[]): Svg[] {
  const bottom = top + PLOT.top + PLOT.height;
  const all = values.flatMap((row) => row.flatMap((cell) => extent(cell)));
  if (all.length === 0) return [];
  const y = linearScale(Math.min(...all), Math.max(...all), bottom, top + PLOT.top);
  const slot = (PLOT.right - PLOT.left) / labels.length;
  const gap = Math.min(28, (slot * 0.8) / values.length);
  const columns = labels.flatMap((_, label) =>
    values.flatMap((row, one) => {
      const x = PLOT.left + slot * (label + 0.5) + gap * (one - (values.length - 1) / 2);
      return drawColumn(row[label] ?? [], x, gap, y, colours[one] ?? INK);
    }),
  );
  const names = labels.map((name, label) =>
    text(PLOT.left + slot * (label + 0.5), bottom + 20, clippedTo(name, slot / 7), { anchor: "middle", fill: SOFT }),
  );
  return [...axis(y, unit, top + PLOT.top, bottom), ...columns, ...names];
}

function axis(y: LinearScale, unit: string, top: number, bottom: number): Svg[] {
  const lines = y.ticks.flatMap((tick) => [
    element("line", { x1: PLOT.left, x2: PLOT.right, y1: y.at(tick), y2: y.at(tick), stroke: GRID }),
    text(PLOT.left - 8, y.at(tick) + 4, tickText(tick), { anchor: "end", fill: SOFT }),
  ]);
  const base = element("line", { x1: PLOT.left, x2: PLOT.right, y1: bottom, y2: bottom, stroke: INK });
  return [...lines, base, text(14, (top + bottom) / 2, unit, { anchor: "middle", turn: -90, fill: SOFT })];
}

/** Single values pale, the mean with its bar over them. */
function drawColumn(values: readonly number[], x: number, gap: number, y: LinearScale, colour: string): Svg[] {
  if (values.length === 0) return [];
  const { mean, std } = meanAndDeviation(values);
  const half = Math.min(5, gap / 3);
  const bar = { stroke: colour, "stroke-width": 1.6 };
  const [low, high] = [y.at(mean - std), y.at(mean + std)];
  const cap = (at: number) => element("line", { x1: x - half, x2: x + half, y1: at, y2: at, ...bar });
  const bars =
    values.length > 1 ? [element("line", { x1: x, x2: x, y1: low, y2: high, ...bar }), cap(low), cap(high)] : [];
  const singles = values.map((value) =>
    element("circle", { cx: x, cy: y.at(value), r: 2, fill: colour, "fill-opacity": "0.35" }),
  );
  return [...singles, ...bars, dot(x, y.at(mean), Math.min(4.5, gap / 2.5), colour)];
}

/** Everything of a column that must be on the plot. */
function extent(values: readonly number[]): number[] {
  if (values.length === 0) return [];
  const { mean, std } = meanAndDeviation(values);
  return [mean - std, mean + std, ...values];
}

function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly std: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

const dot = (cx: number, cy: number, r: number, fill: string): Svg => element("circle", { cx, cy, r, fill });
const clipped = (name: string): string => clippedTo(name, 120);
const clippedTo = (name: string, characters: number): string =>
  name.length <= characters ? name : `${name.slice(0, Math.max(1, Math.floor(characters) - 1))}…`;
