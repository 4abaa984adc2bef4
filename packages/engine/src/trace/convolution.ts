import type { Graph } from "../ir/graph.ts";
import { matMul } from "../ir/matmul.ts";
import { lengthOf } from "../ir/shapes.ts";
import type { Value } from "../ir/value.ts";
import { concat, pick, reshape } from "../ir/views.ts";
import type { InputGroup, OutputGroup } from "./window-groups.ts";
import { inputAt, inputGroups, outputGroups } from "./window-groups.ts";
import type { Windows } from "./windows.ts";
import { columnAxis, positionsOf, rowAxis, tapsOf, windowsOf } from "./windows.ts";

/** What multiplying costs against copying, as measured: about 90 GFLOP/s against 4 billion floats/s. */
const PRODUCTS_PER_COPY = 20;

/**
 * Convolution as matrix products, windows [N·positions, taps·C] times filter [taps·C, O].
 *
 * Windows at the border are multiplied without the taps that see padding, in products of their own, where that saves more
 * than it costs: of a 4 × 4 kernel with stride 2 on 14 × 14 pixels, 14 % of all multiplications.
 *
 * @param x       [N, H, W, C]
 * @param filter  [height, width, C, O]
 * @returns       [N, outHeight, outWidth, O]
 */
export function convolve(graph: Graph, x: Value, filter: Value, windows: Windows): Value {
  const { batchSize, inChannels } = windows;
  const channels = lengthOf(filter.shape, 3);
  const rows = outputGroups(rowAxis(windows));
  const columns = outputGroups(columnAxis(windows));
  if (!splittingPays(windows, rows, columns, channels)) {
    const depth = tapsOf(windows) * inChannels;
    const contents = reshape(graph, windowsOf(graph, x, windows), [batchSize * positionsOf(windows), depth]);
    const product = matMul(graph, contents, reshape(graph, filter, [depth, channels]));
    return reshape(graph, product, [batchSize, windows.outHeight, windows.outWidth, channels]);
  }
  const bands = rows.map((row) => {
    const parts = columns.map((column) => borderProduct(graph, x, filter, windows, row, column));
    return concat(graph, parts, 2);
  });
  return concat(graph, bands, 1);
}

/** The outputs of one group of rows and one of columns: [N, rows, columns, O]. */
function borderProduct(
  graph: Graph,
  x: Value,
  filter: Value,
  windows: Windows,
  row: OutputGroup,
  column: OutputGroup,
): Value {
  const { batchSize, inHeight, inWidth, inChannels, filterWidth } = windows;
  const channels = lengthOf(filter.shape, 3);
  const [height, width] = [row.outputs.length, column.outputs.length];
  const taps = row.taps.flatMap((tapY) => column.taps.map((tapX) => tapY * filterWidth + tapX));
  if (taps.length === 0) return graph.uniform(0, [batchSize, height, width, channels]);
  const pixels: number[] = [];
  for (const y of row.outputs) {
    for (const x of column.outputs) {
      for (const tapY of row.taps) {
        const inRow = inputAt(rowAxis(windows), y, tapY) * inWidth;
        for (const tapX of column.taps) pixels.push(inRow + inputAt(columnAxis(windows), x, tapX));
      }
    }
  }
  const depth = taps.length * inChannels;
  const image = reshape(graph, x, [batchSize, inHeight * inWidth, inChannels]);
  const contents = reshape(graph, pick(graph, image, pixels, 1), [batchSize * height * width, depth]);
  const byTap = reshape(graph, filter, [tapsOf(windows), inChannels * channels]);
  const product = matMul(graph, contents, reshape(graph, pick(graph, byTap, taps, 0), [depth, channels]));
  return reshape(graph, product, [batchSize, height, width, channels]);
}

/** True when the products saved outweigh the copies made: of filters for the border, and to join the outputs. */
function splittingPays(
  windows: Windows,
  rows: readonly OutputGroup[],
  columns: readonly OutputGroup[],
  channels: number,
): boolean {
  const { batchSize, inChannels, inHeight, inWidth, padInfo } = windows;
  const seen = (groups: readonly OutputGroup[]) =>
    groups.reduce((sum, { outputs, taps }) => sum + outputs.length * taps.length, 0);
  const inPadding = positionsOf(windows) * tapsOf(windows) - seen(rows) * seen(columns);
  const saved = 2 * batchSize * inPadding * inChannels * channels;
  const filters = (rows.length * columns.length - 1) * tapsOf(windows) * inChannels * channels;
  const outputs = batchSize * positionsOf(windows) * channels;
  const padded =
    (inHeight + padInfo.top + padInfo.bottom) * (inWidth + padInfo.left + padInfo.right) * batchSize * inChannels;
  return saved > PRODUCTS_PER_COPY * (filters + outputs - padded);
}

/**
 * The gradient of `convolve` in its filter.
 *
 * Two ways: windows of x transposed, times dy; or pixels of x transposed, times windows of dy. The second gathers less where
 * the input has many channels, shares its windows with `inputGradient`, and skips padding.
 *
 * @param dy  [N, outHeight, outWidth, O]
 * @returns   [height, width, C, O]
 */
export function filterGradient(graph: Graph, x: Value, dy: Value, windows: Windows): Value {
  const { batchSize, inChannels, filterHeight, filterWidth, strideHeight, strideWidth } = windows;
  const channels = lengthOf(dy.shape, 3);
  const shape = [filterHeight, filterWidth, inChannels, channels];
  if (inChannels * strideHeight * strideWidth < channels) {
    const [positions, depth] = [batchSize * positionsOf(windows), tapsOf(windows) * inChannels];
    const contents = reshape(graph, windowsOf(graph, x, windows), [positions, depth]);
    return reshape(graph, matMul(graph, contents, reshape(graph, dy, [positions, channels]), true, false), shape);
  }
  const image = reshape(graph, x, [batchSize, windows.inHeight * windows.inWidth, inChannels]);
  const products: Value[] = [];
  const places: number[][] = Array.from({ length: tapsOf(windows) * inChannels }, () => []); // rows of all products, by filter row
  let row = 0;
  for (const group of blockGroups(windows)) {
    const { blocks, inputs, outputs } = group;
    if (outputs === 0) continue;
    const pixels = reshape(graph, pick(graph, image, group.pixels, 1), [batchSize * blocks, inputs * inChannels]);
    const product = matMul(graph, pixels, outputWindows(graph, dy, group, windows), true, false); // [inputs·C, outputs·O]
    products.push(reshape(graph, product, [inputs * inChannels * outputs, channels]));
    for (const filterRow of group.filterRows) places[filterRow]?.push(row++);
  }
  return reshape(graph, sumRows(graph, products, places, channels), shape);
}

/** Row r of the result [rows, width] is the sum of the rows `places[r]` of all `parts`, [any number, width] each, one below the other. */
function sumRows(graph: Graph, parts: readonly Value[], places: readonly (readonly number[])[], width: number): Value {
  const shape = [places.length, width];
  const counts = places.map((rows) => rows.length);
  const most = Math.max(...counts);
  const zeros = Math.min(...counts) < most ? [graph.uniform(0, [1, width])] : [];
  const rows = concat(graph, [...parts, ...zeros], 0);
  const last = lengthOf(rows.shape, 0) - 1;
  const terms = Array.from({ length: most }, (_, k) =>
    pick(
      graph,
      rows,
      places.map((own) => own[k] ?? last),
      0,
    ),
  );
  return terms.length > 1 ? graph.node("Sum", terms, {}, shape) : (terms[0] ?? graph.uniform(0, shape));
}

/**
 * The gradient of `convolve` in its input: for every group of blocks of pixels one product, windows of dy [N·blocks, outputs·O] times
 * the filter rearranged [outputs·O, inputs·C]. Nothing is scattered or added afterwards, and padding gets no gradient.
 *
 * @param dy  [N, outHeight, outWidth, O]
 * @returns   [N, H, W, C]
 */
export function inputGradient(graph: Graph, dy: Value, filter: Value, windows: Windows): Value {
  const { batchSize, inHeight, inWidth, inChannels } = windows;
  const channels = lengthOf(filter.shape, 3);
  const filterRows = reshape(graph, filter, [tapsOf(windows) * inChannels, channels]);
  const groups = blockGroups(windows);
  const parts = groups.map((group) => {
    const shape = [batchSize, group.pixels.length, inChannels];
    if (group.outputs === 0) return graph.uniform(0, shape);
    const weights = reshape(graph, pick(graph, filterRows, group.filterRows, 0), [
      group.inputs * inChannels,
      group.outputs * channels,
    ]);
    return reshape(graph, matMul(graph, outputWindows(graph, dy, group, windows), weights, false, true), shape);
  });
  const places: number[] = new Array(inHeight * inWidth);
  for (const [place, pixel] of groups.flatMap(({ pixels }) => pixels).entries()) places[pixel] = place;
  return reshape(graph, pick(graph, concat(graph, parts, 1), places, 1), [batchSize, inHeight, inWidth, inChannels]);
}

/** dy at the outputs that see each block: [N·blocks, outputs·O]. */
function outputWindows(graph: Graph, dy: Value, { blocks, outputs, positions }: BlockGroup, windows: Windows): Value {
  const channels = lengthOf(dy.shape, 3);
  const flat = reshape(graph, dy, [windows.batchSize, positionsOf(windows), channels]);
  return reshape(graph, pick(graph, flat, positions, 1), [windows.batchSize * blocks, outputs * channels]);
}

/** Equal blocks of pixels; see `inputGroups`. */
interface BlockGroup {
  readonly blocks: number;
  /** Pixels of a block. */
  readonly inputs: number;
  /** Outputs that see a block. */
  readonly outputs: number;
  /** [blocks·inputs] pixel numbers */
  readonly pixels: readonly number[];
  /** [blocks·outputs] output positions */
  readonly positions: readonly number[];
  /** [inputs·C·outputs] → row of the filter [taps·C, O] through which that output sees that channel of that input */
  readonly filterRows: readonly number[];
}

const blockGroups = (windows: Windows): BlockGroup[] =>
  inputGroups(rowAxis(windows)).flatMap((row) =>
    inputGroups(columnAxis(windows)).map((column) => blockGroup(windows, row, column)),
  );

function blockGroup({ inWidth, outWidth, filterWidth, inChannels }: Windows, row: InputGroup, column: InputGroup) {
  const [pixels, positions, filterRows]: [number[], number[], number[]] = [[], [], []];
  for (const vertical of row.blocks) {
    for (const horizontal of column.blocks) {
      for (const y of vertical.inputs) for (const x of horizontal.inputs) pixels.push(y * inWidth + x);
      for (const y of vertical.outputs) for (const x of horizontal.outputs) positions.push(y * outWidth + x);
    }
  }
  for (const tapsY of row.taps) {
    for (const tapsX of column.taps) {
      for (let channel = 0; channel < inChannels; channel++) {
        for (const tapY of tapsY) {
          for (const tapX of tapsX) filterRows.push((tapY * filterWidth + tapX) * inChannels + channel);
        }
      }
    }
  }
  return {
    blocks: row.blocks.length * column.blocks.length,
    inputs: row.taps.length * column.taps.length,
    outputs: (row.taps[0]?.length ?? 0) * (column.taps[0]?.length ?? 0),
    pixels,
    positions,
    filterRows,
  };
}
