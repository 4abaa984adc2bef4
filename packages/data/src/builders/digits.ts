import { CancelledError } from "@gmc/core";
import { type DatasetWriter, openDatasetWriter } from "../dataset-writer.ts";
import { DIGIT_IMAGE, drawStrokes } from "../draw-strokes.ts";
import type { Manifest } from "../manifest.ts";
import { pairByClass } from "./digits-pairing.ts";
import {
  type DigitSplit,
  type Pool,
  readMnist,
  readPenDigits,
  readSpokenDigits,
  SOUND_LENGTH,
  SOUND_SHAPE,
  TRAJECTORY_LENGTH,
  trajectoriesOf,
} from "./digits-sources.ts";

export interface BuildDigitsOptions {
  /** Folder of MNIST's four IDX files, gzipped or not; not read when images are drawn from strokes. */
  readonly mnist?: string;
  /** Folder of UCI pendigits' complete strokes: `pendigits-train`, `pendigits-test` (or `pendigits-orig.tra`, `.tes`). */
  readonly pen: string;
  /** Folder of the Free Spoken Digit Dataset's WAV files, or one above it. */
  readonly speech: string;
  /** The folder to make; nothing may be there. */
  readonly out: string;
  /** `mnist` (default): MNIST's images, the other modalities paired by class · `strokes`: drawn from the sample's own stroke. */
  readonly images?: "mnist" | "strokes";
  readonly seed?: number;
  /** At most so many samples of a split, the first ones. */
  readonly most?: { readonly train?: number; readonly test?: number };
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: {
    readonly split: DigitSplit;
    readonly done: number;
    readonly samples: number;
  }) => void;
}

const IMAGE_LENGTH = 28 * 28;
const BLOCK = 256; // samples appended at once
const DIGITS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/**
 * Builds a set of images, sounds, trajectories and labels of handwritten and spoken digits from three public sources,
 * train with train and test with test. By default each MNIST image (60,000 and 10,000) gets a trajectory and a sound of
 * its class by a seeded draw; with drawn images there is one sample a pen stroke (7,494 and 3,498), and a sound is drawn.
 *
 * @throws {UsageError} when something is at `out`
 * @throws {DataError} naming the file that is missing or broken
 * @throws {CancelledError} when the signal fires; nothing is left behind
 */
export async function buildDigits(options: BuildDigitsOptions): Promise<Manifest> {
  const { out, images = "mnist", seed = 0, signal } = options;
  const writer = await openDatasetWriter({
    out,
    name: images === "mnist" ? "digits" : "digits-strokes",
    modalities: [
      { name: "image", kind: "image", shape: [28, 28, 1], dtype: "uint8", scale: 1 / 255 },
      { name: "sound", kind: "spectrogram", shape: SOUND_SHAPE, dtype: "float32" },
      { name: "trajectory", kind: "vector", shape: [TRAJECTORY_LENGTH], dtype: "float32", display: "trajectory" },
      { name: "label", kind: "label" },
    ],
    classes: DIGITS,
    source: {
      image: images === "mnist" ? "MNIST" : "drawn from the trajectory's own strokes",
      trajectory: "UCI Pen-Based Recognition of Handwritten Digits, complete strokes",
      sound: "Free Spoken Digit Dataset, recordings 0-4 for testing",
      pairing: "by class, each class's pool permuted and repeated",
      seed,
    },
  });
  try {
    for (const split of ["train", "test"] as const) await writeSplit(writer, split, options, seed);
    return await writer.finish();
  } catch (cause) {
    if (signal?.aborted)
      throw new CancelledError("Building the data set was cancelled; nothing is left.", {}, { cause });
    throw cause;
  } finally {
    await writer.close();
  }
}

async function writeSplit(
  writer: DatasetWriter,
  split: DigitSplit,
  options: BuildDigitsOptions,
  seed: number,
): Promise<void> {
  const { signal, onProgress, most = {} } = options;
  const pen = await readPenDigits(options.pen, split);
  const trajectories = trajectoriesOf(pen);
  const sounds = await readSpokenDigits(options.speech, split, signal);
  const pictured = await readImages(options, split, pen);
  const labels = pictured.labels.subarray(0, most[split] ?? pictured.labels.length);
  const ownStroke = options.images === "strokes";
  const stroke = ownStroke
    ? Uint32Array.from(labels, (_, i) => i)
    : pairByClass(seed, `${split}/trajectory`, labels, trajectories.labels);
  const sound = pairByClass(seed, `${split}/sound`, labels, sounds.labels);
  const target = writer.split(split);
  for (let start = 0; start < labels.length; start += BLOCK) {
    signal?.throwIfAborted();
    const end = Math.min(labels.length, start + BLOCK);
    const rows = {
      image: pictured.rows.subarray(start * IMAGE_LENGTH, end * IMAGE_LENGTH),
      sound: gatherRows(sounds.rows, SOUND_LENGTH, sound.subarray(start, end)),
      trajectory: gatherRows(trajectories.rows, TRAJECTORY_LENGTH, stroke.subarray(start, end)),
    };
    await target.append(rows, labels.subarray(start, end));
    onProgress?.({ split, done: end, samples: labels.length });
  }
}

function readImages(
  { images = "mnist", mnist }: BuildDigitsOptions,
  split: DigitSplit,
  pen: Awaited<ReturnType<typeof readPenDigits>>,
): Promise<Pool<Uint8Array>> | Pool<Uint8Array> {
  if (images === "mnist") {
    if (mnist === undefined) throw new TypeError('buildDigits: `mnist` is needed unless images is "strokes"');
    return readMnist(mnist, split);
  }
  const rows = new Uint8Array(pen.rows.length * IMAGE_LENGTH);
  for (const [i, { strokes }] of pen.rows.entries()) rows.set(drawStrokes(strokes, DIGIT_IMAGE), i * IMAGE_LENGTH);
  return { labels: pen.labels, rows };
}

function gatherRows(pool: Float32Array, length: number, indices: Uint32Array): Float32Array {
  const rows = new Float32Array(indices.length * length);
  for (const [i, index] of indices.entries()) {
    rows.set(pool.subarray(index * length, (index + 1) * length), i * length);
  }
  return rows;
}
