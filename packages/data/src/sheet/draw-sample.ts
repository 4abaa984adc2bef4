import type { FileModalityEntry } from "../manifest.ts";
import type { Box, Canvas, Colour } from "./canvas.ts";

const INK: Colour = [38, 52, 78];
const START: Colour = [34, 160, 84];
const END: Colour = [214, 60, 60];
const GRID: Colour = [232, 235, 240];

/** Draws one sample of a modality into a box. @param values  the sample, after scale and offset */
export function drawSample(canvas: Canvas, box: Box, modality: FileModalityEntry, values: Float32Array): void {
  if (modality.kind === "spectrogram") drawHeatMap(canvas, box, modality, values);
  else if (modality.kind === "image") drawImage(canvas, box, modality, values);
  else if (modality.display === "trajectory" && values.length % 2 === 0) drawTrajectory(canvas, box, values);
  else drawPlot(canvas, box, modality, values);
}

/** Pixels as they are, one channel as grey, more as red, green, blue; whole pixels where they fit. */
function drawImage(canvas: Canvas, box: Box, { shape, statistics }: FileModalityEntry, values: Float32Array): void {
  const [height = 1, width = 1, channels = 1] = shape;
  const inUnit = statistics.min >= 0 && statistics.max <= 1;
  const low = inUnit ? 0 : statistics.min;
  const range = (inUnit ? 1 : statistics.max) - low || 1;
  const fit = Math.min(box.width / width, box.height / height);
  const zoom = fit >= 1 ? Math.floor(fit) : fit;
  const [drawnWidth, drawnHeight] = [Math.round(width * zoom), Math.round(height * zoom)];
  const left = box.x + Math.floor((box.width - drawnWidth) / 2);
  const top = box.y + Math.floor((box.height - drawnHeight) / 2);
  for (let y = 0; y < drawnHeight; y++) {
    for (let x = 0; x < drawnWidth; x++) {
      const at = (Math.floor(y / zoom) * width + Math.floor(x / zoom)) * channels;
      const level = (channel: number): number => clampByte((255 * ((values[at + channel] ?? 0) - low)) / range);
      const grey = level(0);
      canvas.blend(left + x, top + y, channels >= 3 ? [grey, level(1), level(2)] : [grey, grey, grey], 1);
    }
  }
}

/** Frames from left to right, low bands at the bottom, the modality's range of values from dark to bright. */
function drawHeatMap(canvas: Canvas, box: Box, { shape, statistics }: FileModalityEntry, values: Float32Array): void {
  const [frames = 1, bands = 1, channels = 1] = shape;
  const range = statistics.max - statistics.min || 1;
  for (let y = 0; y < box.height; y++) {
    const band = Math.floor(((box.height - 1 - y) * bands) / box.height);
    for (let x = 0; x < box.width; x++) {
      const frame = Math.floor((x * frames) / box.width);
      const value = values[(frame * bands + band) * channels] ?? 0;
      canvas.blend(box.x + x, box.y + y, heat((value - statistics.min) / range), 1);
    }
  }
}

/** The pen's way, from green to red, fitted into the box with its aspect ratio. */
function drawTrajectory(canvas: Canvas, box: Box, values: Float32Array): void {
  const xs = values.filter((_, i) => i % 2 === 0);
  const ys = values.filter((_, i) => i % 2 === 1);
  const [left, right] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
  const [bottom, top] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
  const scale = (Math.min(box.width, box.height) - 14) / (Math.max(right - left, top - bottom) || 1);
  const placeX = (x: number): number => box.x + box.width / 2 + (x - (left + right) / 2) * scale;
  const placeY = (y: number): number => box.y + box.height / 2 - (y - (bottom + top) / 2) * scale;
  for (let i = 0; i + 1 < xs.length; i++) {
    canvas.line(placeX(xs[i] ?? 0), placeY(ys[i] ?? 0), placeX(xs[i + 1] ?? 0), placeY(ys[i + 1] ?? 0), 0.9, INK);
  }
  dot(canvas, placeX(xs[0] ?? 0), placeY(ys[0] ?? 0), START);
  dot(canvas, placeX(xs.at(-1) ?? 0), placeY(ys.at(-1) ?? 0), END);
}

/** Values in order from left to right, over the modality's whole range; few values as bars. */
function drawPlot(canvas: Canvas, box: Box, { statistics }: FileModalityEntry, values: Float32Array): void {
  const low = Math.min(0, statistics.min);
  const range = Math.max(0, statistics.max) - low || 1;
  const placeY = (value: number): number => box.y + box.height - 4 - ((value - low) / range) * (box.height - 8);
  const zero = Math.round(placeY(0));
  canvas.fill({ x: box.x, y: zero, width: box.width, height: 1 }, GRID);
  if (values.length <= 16) drawBars(canvas, box, zero, values.map(placeY));
  else drawLine(canvas, box, values.map(placeY));
}

function drawLine(canvas: Canvas, box: Box, heights: Float32Array): void {
  const placeX = (i: number): number => box.x + 3 + (i * (box.width - 6)) / (heights.length - 1);
  for (let i = 0; i + 1 < heights.length; i++) {
    canvas.line(placeX(i), heights[i] ?? 0, placeX(i + 1), heights[i + 1] ?? 0, 0.6, INK);
  }
}

function drawBars(canvas: Canvas, box: Box, zero: number, tops: Float32Array): void {
  const slot = (box.width - 6) / tops.length;
  for (const [i, top] of tops.entries()) {
    const y = Math.min(zero, Math.round(top));
    const height = Math.max(1, Math.abs(Math.round(top) - zero));
    canvas.fill({ x: Math.round(box.x + 3 + i * slot), y, width: Math.max(1, Math.round(slot * 0.8)), height }, INK);
  }
}

const dot = (canvas: Canvas, x: number, y: number, colour: Colour): void => canvas.line(x, y, x, y, 2.6, colour);

const clampByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** Nine colours of matplotlib's "magma" from dark to bright, with equal steps of lightness. */
const HEAT: readonly Colour[] = [
  [0, 0, 4],
  [28, 16, 68],
  [79, 18, 123],
  [129, 37, 129],
  [181, 54, 122],
  [229, 80, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
];

function heat(share: number): Colour {
  const place = Math.min(1, Math.max(0, share)) * (HEAT.length - 1);
  const step = Math.min(HEAT.length - 2, Math.floor(place));
  const [from = [0, 0, 0], to = [0, 0, 0]] = HEAT.slice(step, step + 2);
  const mix = (channel: 0 | 1 | 2): number => from[channel] + (to[channel] - from[channel]) * (place - step);
  return [mix(0), mix(1), mix(2)];
}
