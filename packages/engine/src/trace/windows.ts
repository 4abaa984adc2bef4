import type { backend_util } from "@tensorflow/tfjs-core";
import { arithmetic } from "../ir/elementwise.ts";
import type { Graph } from "../ir/graph.ts";
import { lengthOf } from "../ir/shapes.ts";
import type { Value } from "../ir/value.ts";
import { pad, pick, reshape } from "../ir/views.ts";
import type { WindowAxis } from "./window-groups.ts";
import { inputAt } from "./window-groups.ts";

/** The sliding windows of a convolution or a pooling over an NHWC tensor; a *tap* is one place in the window. */
export type Windows = Pick<
  backend_util.Conv2DInfo,
  | "batchSize"
  | "inHeight"
  | "inWidth"
  | "inChannels"
  | "outHeight"
  | "outWidth"
  | "filterHeight"
  | "filterWidth"
  | "strideHeight"
  | "strideWidth"
  | "dilationHeight"
  | "dilationWidth"
  | "padInfo"
>;

/** The windows' rows. */
export const rowAxis = (windows: Windows): WindowAxis => ({
  inputs: windows.inHeight,
  outputs: windows.outHeight,
  taps: windows.filterHeight,
  stride: windows.strideHeight,
  dilation: windows.dilationHeight,
  before: windows.padInfo.top,
});

/** The windows' columns. */
export const columnAxis = (windows: Windows): WindowAxis => ({
  inputs: windows.inWidth,
  outputs: windows.outWidth,
  taps: windows.filterWidth,
  stride: windows.strideWidth,
  dilation: windows.dilationWidth,
  before: windows.padInfo.left,
});

/** Number of window positions. */
export const positionsOf = (windows: Windows): number => windows.outHeight * windows.outWidth;

/** Number of places in a window. */
export const tapsOf = (windows: Windows): number => windows.filterHeight * windows.filterWidth;

/**
 * The windows' contents ("im2col"), by one gather with a table made here.
 *
 * @param x     [N, H, W, C]
 * @param fill  what padding holds
 * @returns     [N, positions, taps, C]
 */
export function windowsOf(graph: Graph, x: Value, windows: Windows, fill = 0): Value {
  const { batchSize, inHeight, inWidth, inChannels, padInfo } = windows;
  const shape = [batchSize, positionsOf(windows), tapsOf(windows), inChannels];
  if (isView(windows)) return reshape(graph, x, shape);
  const { top, bottom, left, right } = padInfo;
  const padded = pad(
    graph,
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    fill,
  );
  const [height, width] = [inHeight + top + bottom, inWidth + left + right];
  const run = runOf(windows, width);
  const runs = reshape(graph, padded, [batchSize, (height * width) / run, run * inChannels]);
  return reshape(graph, pick(graph, runs, runTable(windows, width, run), 1), shape);
}

/** Copies of fewer floats than this cost as much as one of this length. */
const SHORT_COPY = 32;

/** How many neighbouring pixels are copied at a time: as many as the stride where windows consist of such runs and pixels are short. */
function runOf({ filterWidth, strideWidth, dilationWidth, inChannels }: Windows, paddedWidth: number): number {
  const divides = filterWidth % strideWidth === 0 && paddedWidth % strideWidth === 0 && dilationWidth === 1;
  return divides && strideWidth * inChannels <= SHORT_COPY ? strideWidth : 1;
}

/** True when the windows lie in the tensor one after another, without padding, gaps or overlap. */
function isView(windows: Windows): boolean {
  const { top, bottom, left, right } = windows.padInfo;
  if (top || bottom || left || right) return false;
  const { filterHeight, filterWidth, strideHeight, strideWidth, inWidth, outHeight, inHeight } = windows;
  const wholeRows = filterWidth === inWidth && windows.dilationWidth === 1;
  if (wholeRows && outHeight === 1) return filterHeight === inHeight && windows.dilationHeight === 1;
  if (wholeRows && filterHeight === 1) return strideHeight === 1;
  return filterHeight === 1 && filterWidth === 1 && strideHeight === 1 && strideWidth === 1;
}

/** Place (row-major, in the padded image) of every run of `run` taps, position by position. */
function runTable(windows: Windows, paddedWidth: number, run: number): number[] {
  const [rows, columns] = [
    { ...rowAxis(windows), before: 0 },
    { ...columnAxis(windows), before: 0 },
  ];
  const table: number[] = [];
  for (let y = 0; y < windows.outHeight; y++) {
    for (let x = 0; x < windows.outWidth; x++) {
      for (let tapY = 0; tapY < windows.filterHeight; tapY++) {
        const row = inputAt(rows, y, tapY) * paddedWidth;
        for (let tapX = 0; tapX < windows.filterWidth; tapX += run) table.push((row + inputAt(columns, x, tapX)) / run);
      }
    }
  }
  return table;
}

/**
 * Sums windows' contents back into pixels ("col2im"), the transpose of `windowsOf`: a pixel gathers the taps that saw it
 * and adds them pairwise in a fixed order, so nothing is scattered.
 *
 * @param contents  [N, entries, C], entry position·taps + tap; entry `zeroEntry` holds zeros, for pixels that fewer taps saw
 * @returns         [N, H, W, C]
 */
export function sumWindows(graph: Graph, contents: Value, windows: Windows, zeroEntry: number): Value {
  const { batchSize, inHeight, inWidth } = windows;
  const tables = entryTables(windows, zeroEntry);
  const parts = tables.map((table) => pick(graph, contents, table, 1));
  const shape = [batchSize, inHeight, inWidth, lengthOf(contents.shape, 2)];
  return parts.length === 0 ? graph.uniform(0, shape) : reshape(graph, addPairwise(graph, parts), shape);
}

function addPairwise(graph: Graph, parts: readonly Value[]): Value {
  const [first, second] = parts;
  if (!first || !second) return first ?? graph.uniform(0, []);
  const sums: Value[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const [a, b] = [parts[i] ?? first, parts[i + 1]];
    sums.push(b ? arithmetic(graph, "Add", a, b) : a);
  }
  return addPairwise(graph, sums);
}

/** For k = 0, 1, …: the k-th entry that saw each pixel, or `zeroEntry`. */
function entryTables(windows: Windows, zeroEntry: number): number[][] {
  const { inHeight, inWidth, filterHeight, filterWidth, padInfo } = windows;
  const tables: number[][] = [];
  for (let pixel = 0; pixel < inHeight * inWidth; pixel++) {
    const y = Math.floor(pixel / inWidth) + padInfo.top;
    const x = (pixel % inWidth) + padInfo.left;
    let seen = 0;
    for (let tap = 0; tap < filterHeight * filterWidth; tap++) {
      const tapY = Math.floor(tap / filterWidth);
      const outY = outputIndex(y - tapY * windows.dilationHeight, windows.strideHeight, windows.outHeight);
      const outX = outputIndex(x - (tap % filterWidth) * windows.dilationWidth, windows.strideWidth, windows.outWidth);
      if (outY < 0 || outX < 0) continue;
      tables[seen] ??= new Array<number>(inHeight * inWidth).fill(zeroEntry);
      const table = tables[seen++];
      if (table) table[pixel] = (outY * windows.outWidth + outX) * tapsOf(windows) + tap;
    }
  }
  return tables;
}

/** The output row (or column) whose window starts at `start`, or -1. */
function outputIndex(start: number, stride: number, length: number): number {
  if (start < 0 || start % stride !== 0 || start / stride >= length) return -1;
  return start / stride;
}
