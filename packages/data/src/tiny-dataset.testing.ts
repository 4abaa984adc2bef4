import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InputSpec } from "@gmc/core";
import { type DatasetWriterOptions, openDatasetWriter } from "./dataset-writer.ts";

/** Folder of a test's own; the operating system clears it away. */
export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "gmc-data-"));

const MODALITIES: DatasetWriterOptions["modalities"] = [
  { name: "image", kind: "image", shape: [2, 2, 1], dtype: "uint8", scale: 1 / 255 },
  { name: "pen", kind: "vector", shape: [6], dtype: "float32", display: "trajectory" },
  { name: "level", kind: "vector", shape: [1], dtype: "int16", scale: 0.5, offset: -1 },
];

/** Stored numbers of sample `i`: each tells which sample it is. */
export const imageOf = (i: number): number[] => [0, 1, 2, 3].map((j) => (i * 4 + j) % 256);
export const penOf = (i: number): number[] => [0, 1, 2, 3, 4, 5].map((j) => i + j / 8);
export const levelOf = (i: number): number[] => [i - 3];
export const labelOf = (i: number): number => (i * 7) % 3;

/** A small data set of three modalities, with classes and a label modality unless told otherwise. */
export async function writeTinyDataset({ train = 50, test = 11, labels = true } = {}): Promise<string> {
  const out = join(await temporaryFolder(), "tiny");
  const writer = await openDatasetWriter({
    out,
    name: "tiny",
    modalities: labels ? [...MODALITIES, { name: "label", kind: "label" }] : MODALITIES,
    ...(labels ? { classes: ["red", "green", "blue"] } : {}),
    source: { made: "for a test" },
  });
  for (const [split, samples] of Object.entries({ train, test })) {
    for (let start = 0; start < samples; start += 8) {
      const part = Array.from({ length: Math.min(8, samples - start) }, (_, i) => start + i);
      await writer.split(split).append(
        {
          image: Uint8Array.from(part.flatMap(imageOf)),
          pen: Float32Array.from(part.flatMap(penOf)),
          level: Int16Array.from(part.flatMap(levelOf)),
        },
        labels ? part.map(labelOf) : undefined,
      );
    }
  }
  await writer.finish();
  return out;
}

/** Inputs of a training graph over the tiny set, with a target, a mask and noise. */
export const tinyInputs = (rows: number): InputSpec[] => [
  { name: "image", shape: [rows, 2, 2, 1], source: { kind: "modality" } },
  { name: "pen", shape: [rows, 6], source: { kind: "modality" } },
  { name: "label", shape: [rows, 3], source: { kind: "modality" } },
  { name: "target", shape: [rows, 3], source: { kind: "target" } },
  { name: "head.mask", shape: [rows, 5], source: { kind: "mask", keep: 0.5 } },
  { name: "epsilon", shape: [rows, 5], source: { kind: "noise" } },
];
