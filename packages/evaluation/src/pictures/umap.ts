import { setImmediate } from "node:timers/promises";
import { CancelledError, randomKey, uniformAt } from "@gmc/core";
import { UMAP } from "umap-js";
import { nearestNeighbours } from "./nearest-neighbours.ts";
import { principalComponents } from "./principal-components.ts";

export interface UmapOptions {
  readonly seed: number;
  /** Points in a neighbourhood, the point itself among them. Default 15, as umap-learn's. */
  readonly neighbours?: number;
  /** Smallest distance of points in the picture. Default 0.1, as umap-learn's. */
  readonly minDistance?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
}

/**
 * Points laid out in the plane by UMAP (McInnes et al. 2018), [n, 2]: a function of points and seed. Neighbours are exact and
 * the layout starts from principal components, which keeps the arrangement of clusters. Fewer points than a
 * neighbourhood has, plus one, are laid out by principal components alone.
 *
 * @param points  [n, dim], all different
 * @throws {CancelledError} when the signal fires
 */
export async function umapLayout(points: Float32Array, dim: number, options: UmapOptions): Promise<Float64Array> {
  const { seed, neighbours = 15, minDistance = 0.1, signal, onProgress } = options;
  const count = points.length / dim;
  const start = principalComponents(points, dim);
  if (count <= neighbours) return start;
  const breathe = breather(signal);
  const nearest = await nearestNeighbours(points, dim, neighbours, breathe);
  const umap = new UMAP({ nNeighbors: neighbours, minDist: minDistance, random: randomNumbers(seed) });
  umap.setPrecomputedKNN(nearest.indices, nearest.distances);
  const epochs = umap.initializeFit(rowsOf(points, dim));
  placeAt(umap.getEmbedding(), start, seed);
  for (let epoch = 0; epoch < epochs; epoch++) {
    umap.step();
    onProgress?.((epoch + 1) / epochs);
    await breathe();
  }
  return Float64Array.from(umap.getEmbedding().flat());
}

/** Uniform numbers in order, from the seed alone. */
function randomNumbers(seed: number): () => number {
  const key = randomKey(seed, "pictures/umap");
  let index = 0;
  return () => uniformAt(key, index++);
}

/** Sets a layout to principal components, scaled to ±10, with a little noise as umap-learn adds. */
function placeAt(layout: number[][], start: Float64Array, seed: number): void {
  const key = randomKey(seed, "pictures/umap-start");
  const largest = start.reduce((best, value) => Math.max(best, Math.abs(value)), 0) || 1;
  layout.forEach((row, point) => {
    for (let axis = 0; axis < 2; axis++) {
      const i = point * 2 + axis;
      row[axis] = (10 * (start[i] ?? 0)) / largest + 1e-3 * (uniformAt(key, i) - 0.5);
    }
  });
}

const rowsOf = (points: Float32Array, dim: number): number[][] =>
  Array.from({ length: points.length / dim }, (_, row) => Array.from(points.subarray(row * dim, (row + 1) * dim)));

function breather(signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last > 50) {
      await setImmediate();
      last = performance.now();
    }
    if (signal?.aborted) throw new CancelledError("The picture was cancelled.", {}, { cause: signal.reason });
  };
}
