import { CancelledError, DataError, type Shape, sameShape } from "@gmc/core";
import { type NumericArray, toFloat32 } from "@gmc/storage";
import { type DatasetWriter, openDatasetWriter } from "../dataset-writer.ts";
import type { Manifest } from "../manifest.ts";
import { openTorch, type TorchValue } from "../readers/torch.ts";
import { TorchTensor } from "../readers/torch-tensor.ts";

export interface BuildMhdOptions {
  /** The authors' `mhd_train.pt` and `mhd_test.pt`. */
  readonly train: string;
  readonly test: string;
  /** The folder to make; nothing may be there. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly split: string; readonly done: number; readonly samples: number }) => void;
}

const CHUNKS = 4;
const SIDE = 32;
const FRAMES = SIDE;
const BANDS = CHUNKS * SIDE;
const CLASSES = 10;
const BLOCK = 256;

/**
 * Builds the paper's Multimodal Handwritten Digits from the authors' two files, each a tuple (label, image, trajectory,
 * sound, trajectory normalisation, sound normalisation). Values are taken as they come; only the sound is laid out anew.
 *
 * @throws {UsageError} when something is at `out`
 * @throws {DataError} naming file and entry that are not of that layout
 * @throws {CancelledError} when the signal fires; nothing is left behind
 */
export async function buildMhd(options: BuildMhdOptions): Promise<Manifest> {
  const writer = await openDatasetWriter({
    out: options.out,
    name: "mhd",
    modalities: [
      { name: "image", kind: "image", shape: [28, 28, 1], dtype: "float32" },
      { name: "sound", kind: "spectrogram", shape: [FRAMES, BANDS, 1], dtype: "float32" },
      { name: "trajectory", kind: "vector", shape: [200], dtype: "float32" },
      { name: "label", kind: "label" },
    ],
    classes: Array.from({ length: CLASSES }, (_, digit) => String(digit)),
    source: "Multimodal Handwritten Digits of Vasco et al., as distributed with GMC (mhd_train.pt, mhd_test.pt)",
  });
  try {
    await writeSplit(writer, "train", options.train, options);
    await writeSplit(writer, "test", options.test, options);
    return await writer.finish();
  } catch (cause) {
    if (!options.signal?.aborted) throw cause;
    throw new CancelledError("Building the data set was cancelled; nothing is left.", {}, { cause });
  } finally {
    await writer.close();
  }
}

async function writeSplit(writer: DatasetWriter, split: string, path: string, options: BuildMhdOptions): Promise<void> {
  const file = await openTorch(path);
  try {
    const { label, image, trajectory, sound, samples } = entriesOf(path, file.value);
    const labels = await readLabels(path, label);
    for (let start = 0; start < samples; start += BLOCK) {
      options.signal?.throwIfAborted();
      const end = Math.min(samples, start + BLOCK);
      const rows = {
        image: toFloat32(await image.readRows(start, end)),
        sound: unstackSound(toFloat32(await sound.readRows(start, end))),
        trajectory: toFloat32(await trajectory.readRows(start, end)),
      };
      await writer.split(split).append(rows, labels.subarray(start, end));
      options.onProgress?.({ split, done: end, samples });
    }
  } finally {
    await file.close();
  }
}

function entriesOf(path: string, value: TorchValue) {
  if (!Array.isArray(value) || value.length < 4) {
    const found = Array.isArray(value) ? `${value.length} entries` : typeof value;
    throw new DataError(
      `${path}: expected a tuple (label, image, trajectory, sound, trajectory normalisation, sound normalisation), found ${found}.`,
      { path },
    );
  }
  const entries = value as readonly TorchValue[];
  const label = entries[0];
  if (!(label instanceof TorchTensor)) throw new DataError(`${path}: entry 0 (label) is not a tensor.`, { path });
  const [samples = 0] = label.shape;
  return {
    label,
    image: tensorOf(path, entries, 1, "image", [samples, 1, 28, 28]),
    trajectory: tensorOf(path, entries, 2, "trajectory", [samples, 200]),
    sound: tensorOf(path, entries, 3, "sound", [samples, CHUNKS, SIDE, SIDE]),
    samples,
  };
}

function tensorOf(
  path: string,
  entries: readonly TorchValue[],
  index: number,
  name: string,
  shape: Shape,
): TorchTensor {
  const entry = entries[index];
  if (entry instanceof TorchTensor && sameShape(entry.shape, shape)) return entry;
  const found = entry instanceof TorchTensor ? `[${entry.shape}]` : "no tensor";
  throw new DataError(`${path}: entry ${index} (${name}): expected a tensor [${shape}], found ${found}.`, {
    path,
    index,
  });
}

/** Class indices from a tensor of them [N], or of one-hot rows [N, 10]; copies of the set have either. */
async function readLabels(path: string, label: TorchTensor): Promise<Uint8Array> {
  const { shape, data } = await label.read();
  const [samples = 0, width] = shape;
  const oneHot = shape.length === 2 && width === CLASSES;
  if (shape.length !== 1 && !oneHot) {
    throw new DataError(`${path}: entry 0 (label): expected [N] or [N,${CLASSES}], found [${shape}].`, { path });
  }
  return Uint8Array.from({ length: samples }, (_, i) => {
    const digit = oneHot ? hotPlace(data, i) : Number(data[i]);
    if (Number.isInteger(digit) && digit >= 0 && digit < CLASSES) return digit;
    throw new DataError(`${path}: the label of sample ${i} is not a class from 0 to ${CLASSES - 1}.`, {
      path,
      sample: i,
    });
  });
}

/** Place of the only one in row i, or -1. */
function hotPlace(data: NumericArray, i: number): number {
  const row = Array.from({ length: CLASSES }, (_, c) => Number(data[i * CLASSES + c]));
  return row.filter((value) => value === 0).length === CLASSES - 1 ? row.indexOf(1) : -1;
}

/**
 * [n, 32, 128] frames × bands from the stored [n, 4, 32, 32]: the four chunks stand one below the other as 128 bands of
 * 32 frames (`torch.cat` over their first axis), and the two axes are swapped, as the released data loader does.
 */
function unstackSound(stored: Float32Array): Float32Array {
  const out = new Float32Array(stored.length);
  const length = FRAMES * BANDS;
  for (let start = 0; start < stored.length; start += length) {
    for (let band = 0; band < BANDS; band++) {
      for (let frame = 0; frame < FRAMES; frame++) {
        out[start + frame * BANDS + band] = stored[start + band * FRAMES + frame] ?? 0;
      }
    }
  }
  return out;
}
