import type { LinearScale } from "../pictures/linear-scale.ts";
import { linearScale, tickText } from "../pictures/linear-scale.ts";
import { decimal, element, INK, type Svg, svgDocument, text } from "../pictures/svg.ts";
import { colourOf } from "./html.ts";
import type { LossPoint, ReportRun } from "./report-data.ts";

const WIDTH = 960;
const HEIGHT = 340;
const PLOT = { left: 58, top: 14, right: WIDTH - 16, bottom: HEIGHT - 46 } as const;
const GRID = "#e3e7eb";
const SOFT = "#5b6672";

/**
 * Loss against epochs (steps where a run has not closed an epoch): single steps thin and pale, means of epochs with dots,
 * validation dashed. Undefined when no run has a loss.
 */
export function lossChart(runs: readonly ReportRun[]): Svg | undefined {
  const drawn = runs.filter(({ losses }) => losses.length > 0);
  const [first] = drawn;
  if (!first) return undefined;
  const byEpoch = drawn.every(({ losses }) => stepsPerEpoch(losses) !== undefined);
  const place = (run: ReportRun, point: LossPoint) => point.step / (byEpoch ? (stepsPerEpoch(run.losses) ?? 1) : 1);
  const xs = drawn.flatMap((run) => run.losses.map((point) => place(run, point)));
  const ys = drawn.flatMap(({ losses }) => losses.flatMap((point) => [point.loss, point.validationLoss ?? point.loss]));
  const x = linearScale(0, Math.max(...xs), PLOT.left, PLOT.right);
  const y = linearScale(Math.min(...ys), Math.max(...ys), PLOT.bottom, PLOT.top);
  const curves = drawn.flatMap((run) => {
    const colour = colourOf(run, runs);
    const steps = run.losses.filter(({ kind }) => kind === "step");
    const epochs = run.losses.filter(({ kind }) => kind === "epoch");
    const at = (point: LossPoint, value: number): Point => [x.at(place(run, point)), y.at(value)];
    const means = epochs.map((point) => at(point, point.loss));
    const validation = epochs.flatMap((point) =>
      point.validationLoss === undefined ? [] : [at(point, point.validationLoss)],
    );
    return [
      line(
        steps.map((point) => at(point, point.loss)),
        { stroke: colour, "stroke-width": 1, "stroke-opacity": 0.4 },
      ),
      line(means, { stroke: colour, "stroke-width": 2 }),
      line(validation, { stroke: colour, "stroke-width": 2, "stroke-dasharray": "6 4" }),
      ...(means.length <= MOST_DOTS ? [...means, ...validation].map(([cx, cy]) => dot(cx, cy, colour)) : []),
    ];
  });
  return svgDocument(WIDTH, HEIGHT, "Training loss", ...axes(x, y, byEpoch ? "epoch" : "step"), ...curves);
}

/** Epochs at which each mean still gets a dot. */
const MOST_DOTS = 40;

type Point = readonly [x: number, y: number];

function axes(x: LinearScale, y: LinearScale, unit: string): Svg[] {
  const across = y.ticks.flatMap((tick) => {
    const at = y.at(tick);
    return [
      element("line", { x1: PLOT.left, x2: PLOT.right, y1: at, y2: at, stroke: GRID }),
      text(PLOT.left - 8, at + 4, tickText(tick), { anchor: "end", fill: SOFT }),
    ];
  });
  const along = x.ticks.flatMap((tick) => [
    element("line", { x1: x.at(tick), x2: x.at(tick), y1: PLOT.bottom, y2: PLOT.bottom + 5, stroke: SOFT }),
    text(x.at(tick), PLOT.bottom + 20, tickText(tick), { anchor: "middle", fill: SOFT }),
  ]);
  const base = element("line", { x1: PLOT.left, x2: PLOT.right, y1: PLOT.bottom, y2: PLOT.bottom, stroke: INK });
  const middle = (PLOT.top + PLOT.bottom) / 2;
  return [
    ...across,
    ...along,
    base,
    text((PLOT.left + PLOT.right) / 2, HEIGHT - 8, unit, { anchor: "middle", fill: SOFT }),
    text(14, middle, "loss", { anchor: "middle", turn: -90, fill: SOFT }),
  ];
}

function line(points: readonly Point[], style: Readonly<Record<string, string | number>>): Svg {
  if (points.length < 2) return "";
  const d = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${decimal(x)} ${decimal(y)}`).join("");
  return element("path", { d, fill: "none", "stroke-linejoin": "round", ...style });
}

const dot = (cx: number, cy: number, fill: string): Svg => element("circle", { cx, cy, r: 3.2, fill });

/** Undefined before an epoch was closed. */
function stepsPerEpoch(losses: readonly LossPoint[]): number | undefined {
  const closed = losses.find(({ kind }) => kind === "epoch");
  return closed && closed.step / closed.epoch;
}
