import type { InputSpec, Inputs, Model, RandomKey } from "@gmc/core";
import { randomKey, sizeOf } from "@gmc/core";
import { fillWords } from "./random-words.ts";

/** Draws the masks and noise that a model's training graph reads. */
export interface RandomInputs {
  /**
   * Masks and noise of one shard, keyed (seed, input, step, place in the global batch, element): whoever runs the shard
   * gets the same bits, and V shards together get those of one. The arrays are written again at the shard's next draw.
   *
   * @param step   steps committed before this one
   * @param first  place of the shard's first row in the global batch
   * @param rows   b
   */
  draw(step: number, shard: number, first: number, rows: number): Inputs;
  /** Masks of ones and noise of zeros: what validation runs with. */
  neutral(rows: number): Inputs;
}

/** A drawer for the model's inputs of kind `mask` and `noise`; it draws nothing where there are none. */
export function randomInputs(model: Model, seed: number): RandomInputs {
  const specs = model.inputs(1, "train").filter(isDrawn);
  const arrays = new Map<string, Float32Array>();
  const array = (name: string, length: number, shard: number): Float32Array => {
    const key = `${shard}/${length}/${name}`;
    const known = arrays.get(key) ?? new Float32Array(length);
    arrays.set(key, known);
    return known;
  };
  return {
    draw(step, shard, first, rows) {
      return record(specs, ({ name, shape, source }) => {
        const width = sizeOf(shape);
        const out = array(name, rows * width, shard);
        const key = randomKey(seed, `input/${name}`, step);
        const words = new Uint32Array(width + (width % 2));
        for (let r = 0; r < rows; r++) drawRow(source, key, first + r, words, out.subarray(r * width, (r + 1) * width));
        return out;
      });
    },
    neutral(rows) {
      return record(specs, ({ shape, source }) => {
        const out = new Float32Array(rows * sizeOf(shape));
        return source.kind === "mask" ? out.fill(1) : out;
      });
    },
  };
}

type Drawn = Extract<InputSpec["source"], { kind: "mask" | "noise" }>;
type DrawnSpec = InputSpec & { readonly source: Drawn };

const isDrawn = (spec: InputSpec): spec is DrawnSpec => spec.source.kind === "mask" || spec.source.kind === "noise";

const record = (specs: readonly DrawnSpec[], value: (spec: DrawnSpec) => Float32Array): Inputs =>
  Object.fromEntries(specs.map((spec) => [spec.name, value(spec)]));

function drawRow(source: Drawn, key: RandomKey, place: number, words: Uint32Array, out: Float32Array): void {
  fillWords(key, place, words);
  if (source.kind === "mask") toMask(words, source.keep, out);
  else toNoise(words, out);
}

/** 1/keep with probability keep, else 0. */
function toMask(words: Uint32Array, keep: number, out: Float32Array): void {
  const limit = keep * 4294967296;
  const scale = 1 / keep;
  for (let e = 0; e < out.length; e++) out[e] = (words[e] ?? 0) < limit ? scale : 0;
}

/** Standard normal numbers, two from two words (Box & Muller 1958). */
function toNoise(words: Uint32Array, out: Float32Array): void {
  for (let e = 0; e < out.length; e += 2) {
    const radius = Math.sqrt(-2 * Math.log(((words[e] ?? 0) + 1) / 4294967296)); // (0, 1]: never log(0)
    const angle = (2 * Math.PI * (words[e + 1] ?? 0)) / 4294967296;
    out[e] = radius * Math.cos(angle);
    out[e + 1] = radius * Math.sin(angle); // past an odd end: ignored
  }
}
