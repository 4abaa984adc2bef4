import { CancelledError, randomKey } from "@gmc/core";
import { openDatasetWriter, type SplitWriter } from "../dataset-writer.ts";
import { DIGIT_IMAGE, drawStrokes } from "../draw-strokes.ts";
import type { Manifest } from "../manifest.ts";
import { logMel } from "../readers/log-mel.ts";
import { resampleTrajectory } from "../readers/trajectory.ts";
import { drawWriter, type Writer, writeDigit } from "./handwriting.ts";
import { RandomStream } from "./random-stream.ts";
import { drawSpeaker, type Speaker, sayDigit } from "./speech.ts";

export interface SynthesiseOptions {
  /** The folder to make; nothing may be there. */
  readonly out: string;
  /** Samples of the splits. */
  readonly train: number;
  readonly test: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (samplesDone: number, samplesTotal: number) => void;
}

const IMAGE_SIZE = 28 * 28;
const TRAJECTORY_SIZE = 200;
const SOUND_SIZE = 32 * 128;
/** Stored coordinates are multiples of this: coarse enough that the last bit of a cosine never shows. */
const PEN_STEP = 1 / 16384;
const CHUNK = 100;

const WRITERS = { train: 40, test: 12 } as const;
const SPEAKERS = 10;

/**
 * A data set of handwritten and spoken digits made from nothing: strokes of varied writers, the image drawn from the
 * same stroke, and a spoken digit as a log-mel spectrogram. Writers of the test split are others than those of the
 * train split; speakers are the same. Sample i of a split is a pure function of (seed, split, i), and its digit is
 * i mod 10.
 *
 * @throws {UsageError} when something is at `out`
 */
export async function synthesiseDigits(options: SynthesiseOptions): Promise<Manifest> {
  const { out, train, test, seed, signal, onProgress } = options;
  const writer = await openDatasetWriter({
    out,
    name: "synthetic digits",
    modalities: [
      { name: "image", kind: "image", shape: [28, 28, 1], dtype: "uint8", scale: 1 / 255 },
      { name: "sound", kind: "spectrogram", shape: [32, 128, 1], dtype: "uint8", scale: 1 / 255 },
      { name: "trajectory", kind: "vector", shape: [200], dtype: "int16", scale: PEN_STEP, display: "trajectory" },
      { name: "label", kind: "label" },
    ],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    source: { made: "synthesised by gmc data synth", seed, train, test },
  });
  try {
    let done = 0;
    for (const [split, samples] of [
      ["train", train],
      ["test", test],
    ] as const) {
      const cast = drawCast(seed, split);
      for (let start = 0; start < samples; start += CHUNK) {
        if (signal?.aborted) throw new CancelledError("Making the data set was cancelled; nothing is left of it.");
        const count = Math.min(CHUNK, samples - start);
        await appendSamples(writer.split(split), cast, seed, start, count);
        done += count;
        onProgress?.(done, train + test);
      }
    }
    return await writer.finish();
  } finally {
    await writer.close();
  }
}

/** Who writes and speaks in a split. */
interface Cast {
  readonly writers: readonly Writer[];
  readonly speakers: readonly Speaker[];
}

const drawCast = (seed: number, split: keyof typeof WRITERS): Cast => ({
  writers: Array.from({ length: WRITERS[split] }, (_, i) => drawWriter(stream(seed, `writer/${split}`, i))),
  speakers: Array.from({ length: SPEAKERS }, (_, i) => drawSpeaker(stream(seed, "speaker", i))),
});

async function appendSamples(
  split: SplitWriter,
  cast: Cast,
  seed: number,
  start: number,
  count: number,
): Promise<void> {
  const image = new Uint8Array(count * IMAGE_SIZE);
  const trajectory = new Int16Array(count * TRAJECTORY_SIZE);
  const sound = new Uint8Array(count * SOUND_SIZE);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const digit = (start + i) % 10;
    const pen = stream(seed, `pen/${split.name}`, start + i);
    const writer = pick(cast.writers, pen);
    const strokes = writeDigit(digit, writer, pen);
    image.set(drawDigit(strokes, writer, pen), i * IMAGE_SIZE);
    trajectory.set(resampleTrajectory(strokes).map(toPenSteps), i * TRAJECTORY_SIZE);
    const voice = stream(seed, `voice/${split.name}`, start + i);
    const spoken = sayDigit(digit, pick(cast.speakers, voice), voice);
    sound.set(logMel(spoken).map(toByte), i * SOUND_SIZE);
    labels[i] = digit;
  }
  await split.append({ image, trajectory, sound }, labels);
}

function drawDigit(strokes: readonly Float64Array[], writer: Writer, random: RandomStream): Uint8Array {
  return drawStrokes(strokes, {
    ...DIGIT_IMAGE,
    extent: DIGIT_IMAGE.extent * (1 + 0.06 * random.normal()),
    penRadius: Math.max(0.6, writer.penRadius * (1 + 0.12 * random.normal())),
    shiftX: 0.6 * random.normal(),
    shiftY: 0.6 * random.normal(),
  });
}

const toPenSteps = (value: number): number => Math.round(value / PEN_STEP);
const toByte = (value: number): number => Math.round(value * 255);
const stream = (seed: number, purpose: string, index: number): RandomStream =>
  new RandomStream(randomKey(seed, `synthesise/${purpose}`, index));

function pick<T>(from: readonly T[], random: RandomStream): T {
  const chosen = from[random.integer(from.length)];
  if (chosen === undefined) throw new RangeError("pick: nothing to choose from");
  return chosen;
}
