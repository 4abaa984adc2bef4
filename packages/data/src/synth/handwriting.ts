import { DIGIT_TEMPLATES, type DigitTemplate, type TemplatePoint } from "./digit-strokes.ts";
import type { RandomStream } from "./random-stream.ts";

/** How one writer differs from others. */
export interface Writer {
  /** For each digit, which template. */
  readonly templates: readonly number[];
  /** Horizontal shift for each unit up. */
  readonly slant: number;
  /** Radians, anticlockwise. */
  readonly rotation: number;
  /** Width for the height 1. */
  readonly aspect: number;
  /** Standard deviation of a control point from one sample to the next. */
  readonly looseness: number;
  /** How far curves bulge beyond the polygon of their control points; 1 is a Catmull-Rom spline. */
  readonly roundness: number;
  /** Pen radius in pixels of a 28-pixel image. */
  readonly penRadius: number;
}

/** A writer of their own habits. */
export function drawWriter(random: RandomStream): Writer {
  return {
    templates: DIGIT_TEMPLATES.map((choices) => random.integer(choices.length)),
    slant: 0.18 + 0.26 * random.normal(),
    rotation: 0.1 * random.normal(),
    aspect: random.between(0.55, 1.05),
    looseness: random.between(0.028, 0.07),
    roundness: random.between(0.85, 1.25),
    penRadius: random.between(0.7, 1.5),
  };
}

const POINTS_A_SEGMENT = 10;

/**
 * One written digit: strokes of x0, y0, x1, y1, … with y up, about one unit high, as a tablet would record them.
 * The pen is slow at corners and its hand trembles.
 */
export function writeDigit(digit: number, writer: Writer, random: RandomStream): Float64Array[] {
  const choices = DIGIT_TEMPLATES[digit] ?? [];
  const usual = random.uniform() < 0.9 ? writer.templates[digit] : random.integer(choices.length);
  const template = choices[usual ?? 0] ?? [];
  const place = placement(writer, random);
  return loosen(template, writer.looseness, random).map((points) =>
    tremble(spline(points, writer.roundness).map(place), random),
  );
}

type Point = readonly [x: number, y: number];

/** Control points moved a little each; points that meet stay together. */
function loosen(template: DigitTemplate, looseness: number, random: RandomStream): TemplatePoint[][] {
  const moved = new Map<string, Point>();
  return template.map((stroke) =>
    stroke.map(([x, y, corner]) => {
      const known = moved.get(`${x},${y}`);
      const [toX, toY] = known ?? [x + looseness * random.normal(), y + looseness * random.normal()];
      moved.set(`${x},${y}`, [toX, toY]);
      return corner ? [toX, toY, corner] : [toX, toY];
    }),
  );
}

/** The writer's affine habits with a sample's own deviation, and a slow bend. */
function placement(writer: Writer, random: RandomStream): (point: Point) => Point {
  const slant = writer.slant + 0.08 * random.normal();
  const angle = writer.rotation + 0.09 * random.normal();
  const width = writer.aspect * (1 + 0.1 * random.normal());
  const bendX = 0.12 * random.normal();
  const bendY = 0.12 * random.normal();
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return ([x, y]) => {
    const bentX = x - 0.5 + bendX * (y - 0.5) * (y - 0.5) * 2;
    const bentY = y - 0.5 + bendY * (x - 0.5) * (x - 0.5) * 2;
    const slantedX = bentX * width + slant * bentY;
    return [slantedX * cosine - bentY * sine, slantedX * sine + bentY * cosine];
  };
}

/** Points along cubic curves through the control points; tangents are broken at corners. */
function spline(points: readonly TemplatePoint[], roundness: number): Point[] {
  const out: Point[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const from = points[i];
    const to = points[i + 1];
    if (!from || !to) continue;
    const before = from[2] ? from : (points[i - 1] ?? from);
    const after = to[2] ? to : (points[i + 2] ?? to);
    const tangents = [tangent(before, to, roundness), tangent(from, after, roundness)] as const;
    for (let k = i === 0 ? 0 : 1; k <= POINTS_A_SEGMENT; k++) {
      const t = ease(k / POINTS_A_SEGMENT);
      out.push([
        hermite(t, from[0], to[0], tangents[0][0], tangents[1][0]),
        hermite(t, from[1], to[1], tangents[0][1], tangents[1][1]),
      ]);
    }
  }
  return out;
}

const tangent = (before: TemplatePoint, after: TemplatePoint, roundness: number): Point => [
  (roundness * (after[0] - before[0])) / 2,
  (roundness * (after[1] - before[1])) / 2,
];

/** Slower near control points than between them. */
const ease = (t: number): number => t * (0.7 + t * (0.9 - 0.6 * t));

function hermite(t: number, from: number, to: number, slopeFrom: number, slopeTo: number): number {
  const square = t * t;
  const cube = square * t;
  return (
    (2 * cube - 3 * square + 1) * from +
    (cube - 2 * square + t) * slopeFrom +
    (3 * square - 2 * cube) * to +
    (cube - square) * slopeTo
  );
}

/** A correlated deviation of about a hundredth of the height. */
function tremble(points: readonly Point[], random: RandomStream): Float64Array {
  const out = new Float64Array(2 * points.length);
  let driftX = 0;
  let driftY = 0;
  for (const [i, [x, y]] of points.entries()) {
    driftX = 0.8 * driftX + 0.006 * random.normal();
    driftY = 0.8 * driftY + 0.006 * random.normal();
    out[2 * i] = x + driftX;
    out[2 * i + 1] = y + driftY;
  }
  return out;
}
