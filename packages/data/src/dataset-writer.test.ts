import { mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readManifest } from "./dataset.ts";
import { type DatasetWriter, openDatasetWriter } from "./dataset-writer.ts";
import { temporaryFolder, writeTinyDataset } from "./tiny-dataset.testing.ts";

const openWriter = async (classes?: readonly string[], out?: string): Promise<DatasetWriter> =>
  openDatasetWriter({
    out: out ?? join(await temporaryFolder(), "set"),
    name: "set",
    modalities: [
      { name: "a", kind: "vector", shape: [2], dtype: "float32" },
      { name: "b", kind: "image", shape: [1, 1, 3], dtype: "uint8", scale: 1 / 255 },
    ],
    ...(classes ? { classes } : {}),
    source: null,
  });

test("statistics are those of the train split's values", async () => {
  const manifest = await readManifest(await writeTinyDataset({ train: 50, test: 11 }));
  const level = manifest.modalities.find((modality) => modality.name === "level");
  const values = Array.from({ length: 50 }, (_, i) => (i - 3) * 0.5 - 1);
  const mean = values.reduce((sum, value) => sum + value, 0) / 50;
  const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / 50;
  expect(level).toMatchObject({ statistics: { min: -2.5, max: 22 } });
  if (level?.kind === "label" || !level) throw new Error("not a file");
  expect(level.statistics.mean).toBeCloseTo(mean, 12);
  expect(level.statistics.std).toBeCloseTo(Math.sqrt(variance), 12);
});

test("the same content gives the same sum, other content another", async () => {
  const [first, second, longer] = await Promise.all(
    [50, 50, 51].map(async (train) => readManifest(await writeTinyDataset({ train }))),
  );
  expect(second!.sha256).toBe(first!.sha256);
  expect(longer!.sha256).not.toBe(first!.sha256);
});

test("nothing is at the target until it is finished, and nothing is left beside it when it is dropped", async () => {
  const folder = await temporaryFolder();
  const writer = await openWriter(undefined, join(folder, "set"));
  await writer.split("train").append({ a: Float32Array.of(1, 2), b: Uint8Array.of(1, 2, 3) });
  expect(await readdir(folder)).not.toContain("set");
  await writer.close();
  expect(await readdir(folder)).toEqual([]);
});

test("close after finish leaves the set in place", async () => {
  const folder = await temporaryFolder();
  const writer = await openWriter(["x"], join(folder, "set"));
  await writer.split("train").append({ a: Float32Array.of(1, 2), b: Uint8Array.of(1, 2, 3) }, [0]);
  await writer.finish();
  await writer.close();
  expect(await readdir(folder)).toEqual(["set"]);
});

test("an existing target is refused before anything is written", async () => {
  const folder = join(await temporaryFolder(), "set");
  await mkdir(folder);
  await expect(openWriter(undefined, folder)).rejects.toMatchObject({ code: "ERR_USAGE" });
  expect(await readdir(dirname(folder))).toEqual(["set"]);
});

test("a sample that lacks a modality is refused with split, sample and modality", async () => {
  const writer = await openWriter();
  await writer.split("train").append({ a: Float32Array.of(1, 2, 3, 4), b: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  await expect(writer.split("train").append({ a: Float32Array.of(1, 2) })).rejects.toThrow(
    /Split "train": from sample 2 on, modality "b" is missing/,
  );
  await expect(
    writer.split("train").append({ a: Float32Array.of(1, 2, 3, 4), b: Uint8Array.of(1, 2, 3) }),
  ).rejects.toThrow(/from sample 2 on, modalities differ in samples \(a 2, b 1\)/);
  await writer.close();
});

test("a number that is not finite is refused with its sample", async () => {
  const writer = await openWriter();
  const rows = { a: Float32Array.of(1, 2, 3, Number.NaN), b: new Uint8Array(6) };
  await expect(writer.split("test").append(rows)).rejects.toThrow(/Split "test": sample 1 of modality "a" holds NaN/);
  await writer.close();
});

test("labels out of range, missing or unwanted are refused", async () => {
  const writer = await openWriter(["x", "y"]);
  const rows = { a: Float32Array.of(1, 2), b: new Uint8Array(3) };
  await expect(writer.split("train").append(rows, [2])).rejects.toThrow(/sample 0 has label 2; expected 0 to 1/);
  await expect(writer.split("train").append(rows)).rejects.toThrow(/labels are missing/);
  await writer.close();
  const unlabelled = await openWriter();
  await expect(unlabelled.split("train").append(rows, [0])).rejects.toThrow(/names no classes/);
  await unlabelled.close();
});

test("a set without samples is refused", async () => {
  const writer = await openWriter();
  writer.split("train");
  await expect(writer.finish()).rejects.toThrow(/Split "train": it has no samples/);
  await writer.close();
});
