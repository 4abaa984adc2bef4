import { CancelledError, ShapeError } from "@gmc/core";
import { COMPLETE_COLOUR, classColours, MODALITY_COLOUR, pale } from "./colours.ts";
import { type PanelPoints, type PictureCodes, panelPoints } from "./picture-points.ts";
import { principalComponents } from "./principal-components.ts";
import { scatterPanel } from "./scatter-panel.ts";
import { element, type Svg, svgDocument, text } from "./svg.ts";
import { umapLayout } from "./umap.ts";

/** Codes of one modality, and a line about them. */
export interface PictureModality extends PictureCodes {
  readonly name: string;
  /** [complete codes] 1 for a complete code that is an outlier of the alignment with this modality. */
  readonly completeOutliers?: Uint8Array | undefined;
  /** Shown under the name, for instance its alignment score. */
  readonly note?: string | undefined;
}

export interface ProjectionOptions {
  readonly method: "umap" | "pca";
  readonly dim: number;
  readonly complete: PictureCodes;
  readonly modalities: readonly PictureModality[];
  /** Names of the classes; without them, or without labels, codes are coloured by kind alone. */
  readonly classes?: readonly string[] | undefined;
  /** How codes that the alignment calls outliers are shown. Default "pale". */
  readonly outliers?: "pale" | "hide" | "same" | undefined;
  /** Codes of each kind in a panel at most, drawn by the seed. Default 2,000. */
  readonly samples?: number | undefined;
  /** Of the drawn codes and of UMAP. Default 0. */
  readonly seed?: number | undefined;
  readonly title?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
}

/**
 * Complete codes against each modality's in the plane, as SVG: one column a modality, the first row coloured by kind, the
 * second by class. A function of codes, options and seed.
 *
 * @throws {ShapeError} when labels or outliers are not one a code
 * @throws {CancelledError} when the signal fires
 */
export async function projectionPicture(options: ProjectionOptions): Promise<Svg> {
  const { complete, modalities, dim, samples = 2000, seed = 0, signal, onProgress } = options;
  const panels: Panel[] = [];
  for (const [i, modality] of modalities.entries()) {
    if (signal?.aborted) throw new CancelledError("The picture was cancelled.", {}, { cause: signal.reason });
    requireOneACode(complete, dim, "complete");
    requireOneACode(modality, dim, modality.name);
    const all = { ...complete, outliers: modality.completeOutliers };
    requireOneACode(all, dim, `complete, beside ${modality.name}`);
    const points = panelPoints(all, modality, { dim, samples, seed });
    const report = onProgress && ((done: number) => onProgress((i + done) / modalities.length));
    panels.push({ modality, points, layout: await layoutOf(points, options, report) });
    report?.(1);
  }
  return draw(panels, options);
}

interface Panel {
  readonly modality: PictureModality;
  readonly points: PanelPoints;
  readonly layout: Float64Array;
}

function layoutOf(points: PanelPoints, options: ProjectionOptions, onProgress?: (done: number) => void) {
  const { method, dim, seed = 0, signal } = options;
  if (method === "pca") return principalComponents(points.codes, dim);
  return umapLayout(points.codes, dim, { seed, signal, onProgress });
}

function requireOneACode({ codes, labels, outliers }: PictureCodes, dim: number, name: string): void {
  if (codes.length % dim !== 0) throw new ShapeError(`Codes of ${name}`, [-1, dim], [codes.length]);
  for (const [what, values] of Object.entries({ labels, outliers })) {
    if (values && values.length !== codes.length / dim) {
      throw new ShapeError(`${what} of ${name}`, [codes.length / dim], [values.length]);
    }
  }
}

const PANEL = 230;
const GAP = 14;
const LEFT = 34;
const TOP = 74;
const LEGEND = 40;

function draw(panels: readonly Panel[], options: ProjectionOptions): Svg {
  const classes = panels.some(({ points }) => points.labels.some((label) => label !== undefined))
    ? (options.classes ?? [])
    : [];
  const rows = classes.length > 0 ? (["kind", "class"] as const) : (["kind"] as const);
  const width = Math.max(420, LEFT + panels.length * (PANEL + GAP) + GAP);
  const height = TOP + rows.length * (PANEL + LEGEND) + 4;
  const title =
    options.title ?? `${options.method === "umap" ? "UMAP" : "PCA"} of complete codes and of each modality's`;
  const left = (i: number) => LEFT + i * (PANEL + GAP);
  const columns = panels.flatMap(({ modality }, i) => [
    text(left(i) + PANEL / 2, 48, modality.name, { size: 14, anchor: "middle", weight: "bold" }),
    modality.note ? text(left(i) + PANEL / 2, 65, modality.note, { size: 11, anchor: "middle", fill: "#555555" }) : "",
  ]);
  const body = rows.flatMap((row, r) => {
    const top = TOP + r * (PANEL + LEGEND);
    const colourOf = colouring(row, classes, options.outliers ?? "pale");
    const label = text(LEFT - 12, top + PANEL / 2, `by ${row}`, { anchor: "middle", turn: -90, fill: "#555555" });
    const squares = panels.map((panel, i) => drawPanel(panel, { x: left(i), y: top, size: PANEL }, colourOf));
    return [label, ...squares, legend(row, classes, options, top + PANEL + 22)];
  });
  return svgDocument(width, height, title, text(LEFT, 22, title, { size: 16, weight: "bold" }), ...columns, ...body);
}

type ColourOf = (points: PanelPoints, point: number) => string | undefined;

function drawPanel({ points, layout }: Panel, square: { x: number; y: number; size: number }, colourOf: ColourOf): Svg {
  const own = points.kinds.filter((kind) => kind === "modality").length;
  const few = own * FEW < points.kinds.length; // the ten codes of a label among thousands
  return scatterPanel(square, {
    layout,
    colours: points.kinds.map((_, point) => colourOf(points, point)),
    radii: points.copies.map((copies, point) =>
      few && points.kinds[point] === "modality" ? LARGE_DOT : Math.min(LARGE_DOT, DOT + Math.log10(copies)),
    ),
  });
}

/** Radius of a point for one code; of one for many codes, or of a modality with few, so that it is seen in the crowd. */
const DOT = 1.1;
const LARGE_DOT = 4;
/** A modality has few points below one in so many. */
const FEW = 20;

function colouring(row: "kind" | "class", classes: readonly string[], outliers: "pale" | "hide" | "same"): ColourOf {
  const colours = classColours(classes.length);
  return (points, point) => {
    const kind = points.kinds[point] === "complete" ? COMPLETE_COLOUR : MODALITY_COLOUR;
    const colour = row === "kind" ? kind : (colours[points.labels[point] ?? -1] ?? "#bbbbbb");
    if (!points.outliers[point] || outliers === "same") return colour;
    return outliers === "hide" ? undefined : pale(colour, 0.25);
  };
}

function legend(row: "kind" | "class", classes: readonly string[], options: ProjectionOptions, y: number): Svg {
  const colours = classColours(classes.length);
  const entries: (readonly [name: string, colour: string])[] =
    row === "kind"
      ? [["complete", COMPLETE_COLOUR], ["modality", MODALITY_COLOUR], ...paleEntry(options)]
      : classes.slice(0, MOST_ENTRIES).map((name, i) => [name, colours[i] ?? "#bbbbbb"] as const);
  let x = LEFT + 6;
  const parts = entries.map(([name, colour]) => {
    const part = element("circle", { cx: x, cy: y - 4, r: 4.5, fill: colour }) + text(x + 9, y, name);
    x += 26 + 7.4 * name.length;
    return part;
  });
  const more =
    row === "class" && classes.length > MOST_ENTRIES ? [text(x, y, `and ${classes.length - MOST_ENTRIES} more`)] : [];
  return [...parts, ...more].join("");
}

/** Classes that a legend names. */
const MOST_ENTRIES = 20;

function paleEntry({ outliers = "pale", modalities }: ProjectionOptions): (readonly [string, string])[] {
  const some = modalities.some((modality) => modality.outliers?.includes(1) || modality.completeOutliers?.includes(1));
  return outliers === "pale" && some ? [["outliers of the alignment, pale", pale(MODALITY_COLOUR, 0.25)]] : [];
}
