import { permutation, randomKey } from "@gmc/core";
import { decimal, element, type Svg } from "./svg.ts";

/** Points to draw in one square. */
export interface Scatter {
  /** [n, 2] */
  readonly layout: Float64Array;
  /** Colour of each point; undefined: not drawn. */
  readonly colours: readonly (string | undefined)[];
  /** Radius of each point in the picture's units. */
  readonly radii: readonly number[];
}

export interface Square {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

/** Part of a square's side that stays empty on each of its sides. */
const MARGIN = 0.04;
/** Points are drawn in so many layers: within one, colours lie over each other in order; between layers, by chance. */
const LAYERS = 24;

/** Points of this radius and more lie over all others. */
const LARGE = 2;

/**
 * A framed square with points, as few paths: a point is a line of no length with a round end. One scale for both axes, the
 * layout in the middle. Which points lie over others is drawn by chance, always the same.
 */
export function scatterPanel(square: Square, { layout, colours, radii }: Scatter): Svg {
  const place = placement(layout, square);
  const order = permutation(randomKey(0, "pictures/order"), colours.length);
  const layers = Array.from({ length: LAYERS }, () => new Map<string, string[]>());
  const large = new Map<string, string[]>();
  order.forEach((point, i) => {
    const colour = colours[point];
    if (colour === undefined) return;
    const radius = radii[point] ?? 1;
    const layer = radius >= LARGE ? large : layers[Math.floor((i * LAYERS) / order.length)];
    const style = `${colour} ${decimal(2 * radius)}`;
    const dots = layer?.get(style) ?? [];
    dots.push(`M${place(point)}h0`);
    layer?.set(style, dots);
  });
  const { x, y, size } = square;
  const frame = element("rect", { x, y, width: size, height: size, fill: "#ffffff", stroke: "#c8c8c8" });
  const dots = layers.flatMap((layer) => [...layer].map(([style, parts]) => dotPath(style, parts)));
  const top = [...large].flatMap(([style, parts]) => outlined(style, parts));
  const common = { fill: "none", "stroke-linecap": "round" };
  return frame + element("g", { ...common, "stroke-opacity": 0.8 }, ...dots) + element("g", common, ...top);
}

/** Large points have a white rim, so that they are seen on a crowd. */
function outlined(style: string, parts: readonly string[]): readonly Svg[] {
  const [, width = "2"] = style.split(" ");
  return [dotPath(`#ffffff ${decimal(Number(width) + 1.6)}`, parts), dotPath(style, parts)];
}

function dotPath(style: string, parts: readonly string[]): Svg {
  const [stroke, width] = style.split(" ");
  return element("path", { d: parts.join(""), stroke, "stroke-width": width });
}

/** Where a point lies in the square, as SVG coordinates. */
function placement(layout: Float64Array, { x, y, size }: Square): (point: number) => string {
  const horizontal = extent(layout, 0);
  const vertical = extent(layout, 1);
  const span = Math.max(horizontal.span, vertical.span) || 1;
  const scale = (size * (1 - 2 * MARGIN)) / span;
  return (point) => {
    const across = x + size / 2 + scale * ((layout[point * 2] ?? 0) - horizontal.middle);
    const down = y + size / 2 - scale * ((layout[point * 2 + 1] ?? 0) - vertical.middle);
    return `${across.toFixed(1)} ${down.toFixed(1)}`;
  };
}

function extent(layout: Float64Array, axis: number): { readonly middle: number; readonly span: number } {
  let smallest = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = axis; i < layout.length; i += 2) {
    smallest = Math.min(smallest, layout[i] ?? 0);
    largest = Math.max(largest, layout[i] ?? 0);
  }
  return layout.length === 0 ? { middle: 0, span: 1 } : { middle: (smallest + largest) / 2, span: largest - smallest };
}
