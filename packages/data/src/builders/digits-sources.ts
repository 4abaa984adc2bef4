import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "@gmc/core";
import { listFiles } from "../readers/folder.ts";
import { readIdx } from "../readers/idx.ts";
import { DIGITS_LOG_MEL, framesOf, logMel } from "../readers/log-mel.ts";
import { resampleTrajectory, TRAJECTORY_POINTS } from "../readers/trajectory.ts";
import { type PenSample, readUnipen } from "../readers/unipen.ts";
import { readWav } from "../readers/wav.ts";

/** The official halves of every source: no image, writer's stroke or recording of one is in the other. */
export type DigitSplit = "train" | "test";

/** Samples of one source and split; sample i has class `labels[i]`. */
export interface Pool<Rows> {
  readonly labels: Uint8Array;
  /** Sample after sample. */
  readonly rows: Rows;
}

export const TRAJECTORY_LENGTH = 2 * TRAJECTORY_POINTS;
export const SOUND_SHAPE = [framesOf(DIGITS_LOG_MEL), DIGITS_LOG_MEL.bands, 1] as const;
export const SOUND_LENGTH = SOUND_SHAPE[0] * SOUND_SHAPE[1];
const IMAGE_SIDE = 28;
const LAST_TEST_INDEX = 4; // FSDD's own rule: recordings 0-4 of each speaker and digit are the test set

/** MNIST's images [28, 28] as bytes, in the files' order. */
export async function readMnist(folder: string, split: DigitSplit): Promise<Pool<Uint8Array>> {
  const stem = split === "train" ? "train" : "t10k";
  const imageFile = await findFile(folder, `${stem}-images`, idxNames(`${stem}-images`, 3));
  const labelFile = await findFile(folder, `${stem}-labels`, idxNames(`${stem}-labels`, 1));
  const images = await readIdx(imageFile);
  const labels = await readIdx(labelFile);
  const [count = 0, height, width] = images.shape;
  if (!(images.data instanceof Uint8Array) || height !== IMAGE_SIDE || width !== IMAGE_SIDE) {
    throw new DataError(`${imageFile}: expected bytes of shape [N,28,28], found ${images.dtype} [${images.shape}].`, {
      path: imageFile,
    });
  }
  if (!(labels.data instanceof Uint8Array) || labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new DataError(`${labelFile}: expected ${count} byte labels, found ${labels.dtype} [${labels.shape}].`, {
      path: labelFile,
    });
  }
  const wrong = labels.data.findIndex((label) => label > 9);
  if (wrong >= 0) {
    throw new DataError(`${labelFile}: label ${wrong} is ${labels.data[wrong]}, expected 0 to 9.`, { path: labelFile });
  }
  return { labels: labels.data, rows: images.data };
}

/** The pen samples of UCI's pendigits, in the file's order. */
export async function readPenDigits(folder: string, split: DigitSplit): Promise<Pool<readonly PenSample[]>> {
  const names =
    split === "train" ? ["pendigits-train", "pendigits-orig.tra"] : ["pendigits-test", "pendigits-orig.tes"];
  const path = await findFile(folder, names[0] ?? "", names.flatMap(withGzip));
  const samples = await readUnipen(path);
  const labels = Uint8Array.from(samples, ({ label, line }) => {
    if (/^[0-9]$/.test(label)) return Number(label);
    throw new DataError(`${path}:${line}: the label is "${label}", expected a digit.`, { path, line });
  });
  return { labels, rows: samples };
}

/** [200] resampled trajectory of each pen sample. */
export function trajectoriesOf(pen: Pool<readonly PenSample[]>): Pool<Float32Array> {
  const rows = new Float32Array(pen.rows.length * TRAJECTORY_LENGTH);
  for (const [i, { strokes }] of pen.rows.entries()) rows.set(resampleTrajectory(strokes), i * TRAJECTORY_LENGTH);
  return { labels: pen.labels, rows };
}

/** [32, 128] log-mel of each recording `{digit}_{speaker}_{index}.wav` of the split, by file name. */
export async function readSpokenDigits(
  folder: string,
  split: DigitSplit,
  signal?: AbortSignal,
): Promise<Pool<Float32Array>> {
  const files = (await listFiles(folder, [".wav"])).map(({ path, stem }) => {
    const match = /(?:^|\/)([0-9])_[^/]+_([0-9]+)$/.exec(stem);
    if (match) return { path, digit: Number(match[1]), index: Number(match[2]) };
    throw new DataError(`${path}: expected a name like {digit}_{speaker}_{index}.wav.`, { path });
  });
  const used = files.filter(({ index }) => index <= LAST_TEST_INDEX === (split === "test"));
  const rows = new Float32Array(used.length * SOUND_LENGTH);
  for (const [i, { path }] of used.entries()) {
    signal?.throwIfAborted();
    const { sampleRate, samples } = await readWav(path);
    if (sampleRate !== DIGITS_LOG_MEL.sampleRate) {
      throw new DataError(`${path}: recorded at ${sampleRate} Hz, expected ${DIGITS_LOG_MEL.sampleRate}.`, { path });
    }
    rows.set(logMel(samples), i * SOUND_LENGTH);
  }
  return { labels: Uint8Array.from(used, ({ digit }) => digit), rows };
}

const withGzip = (name: string): string[] => [name, `${name}.gz`];

const idxNames = (stem: string, axes: number): string[] =>
  [`${stem}-idx${axes}-ubyte`, `${stem}.idx${axes}-ubyte`].flatMap(withGzip);

async function findFile(folder: string, what: string, names: readonly string[]): Promise<string> {
  for (const name of names) {
    const path = join(folder, name);
    if (await stat(path).catch(() => undefined)) return path;
  }
  throw new DataError(`${folder} has no ${what} file; looked for ${names.join(", ")}.`, { path: folder });
}
