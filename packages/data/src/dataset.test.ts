import { appendFile, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CancelledError, DataError } from "@gmc/core";
import { expect, test } from "vitest";
import { openDataset } from "./dataset.ts";
import { manifestSha256, parseManifest } from "./manifest.ts";
import { imageOf, labelOf, levelOf, penOf, temporaryFolder, writeTinyDataset } from "./tiny-dataset.testing.ts";
import { type VerifyProgress, verifyDataset } from "./verify.ts";

test("samples come back in the order asked for, as values with scale and offset", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const rows = Uint32Array.of(49, 3, 3, 0, 17);
  const { image, pen, level } = await dataset.split("train").read(rows, ["image", "pen", "level"]);
  expect(image).toEqual(Float32Array.from([...rows].flatMap(imageOf), (v) => v / 255));
  expect(pen).toEqual(Float32Array.from([...rows].flatMap(penOf)));
  expect(level).toEqual(Float32Array.from([...rows].flatMap(levelOf), (v) => v * 0.5 - 1));
  await dataset.close();
});

test("a range is read like its rows, and labels as indices and as one-hot", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const split = dataset.split("test");
  expect(await split.read({ start: 2, end: 6 })).toEqual(await split.read(Uint32Array.of(2, 3, 4, 5)));
  expect(await split.readLabels()).toEqual(Int32Array.from({ length: 11 }, (_, i) => labelOf(i)));
  expect(await split.read({ start: 0, end: 2 }, ["label"])).toEqual({ label: Float32Array.of(1, 0, 0, 0, 1, 0) });
  await dataset.close();
});

test("all 256 bytes become v/255 to the bit", async () => {
  const dataset = await openDataset(await writeTinyDataset({ train: 64 }));
  const { image } = await dataset.split("train").read({ start: 0, end: 64 }, ["image"]);
  expect(image).toEqual(Float32Array.from({ length: 256 }, (_, v) => Math.fround(v) / 255));
  await dataset.close();
});

test("overlapping reads are each answered with their own rows", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const split = dataset.split("train");
  const rows = Array.from({ length: 20 }, (_, i) => Uint32Array.of(i, 49 - i));
  const answers = await Promise.all(rows.map((pair) => split.read(pair, ["pen"])));
  for (const [i, { pen }] of answers.entries()) expect([...pen!]).toEqual([...penOf(i), ...penOf(49 - i)]);
  await dataset.close();
});

test("a set without labels opens and reads, and what needs labels says so", async () => {
  const dataset = await openDataset(await writeTinyDataset({ labels: false }));
  expect(dataset.classes).toBeUndefined();
  expect(Object.keys(await dataset.split("train").read({ start: 0, end: 1 }))).toEqual(["image", "pen", "level"]);
  expect(() => dataset.split("train").readLabels()).toThrow(/has no labels/);
  await dataset.close();
});

test("an unknown modality or split is refused with the names there are", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  expect(() => dataset.split("train").read({ start: 0, end: 1 }, ["smell"])).toThrow(
    /no modality "smell".*"image" \[2,2,1\]/,
  );
  expect(() => dataset.split("validation")).toThrow(/no split "validation"; it has "train", "test"/);
  await dataset.close();
});

test("a row beyond the split is refused, and so is reading after close", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  await expect(dataset.split("train").read(Uint32Array.of(50))).rejects.toThrow(/rows 0 to 49, asked for row 50/);
  await dataset.close();
  await expect(dataset.split("train").read(Uint32Array.of(0))).rejects.toThrow(/was closed/);
});

test("a folder that is no data set is refused with the way to make one", async () => {
  await expect(openDataset(await temporaryFolder())).rejects.toThrow(/is not a data set.*gmc data synth/);
});

test("a missing, a shortened and a swapped file are each named when the set is opened", async () => {
  const folder = await writeTinyDataset();
  const file = join(folder, "train", "pen.npy");
  const content = await readFile(file);
  await truncate(file, content.length - 4);
  await expect(openDataset(folder)).rejects.toThrow(/pen\.npy has \d+ bytes, the manifest says \d+/);
  await writeFile(file, Buffer.from(content).fill("<f8", content.indexOf("<f4"), content.indexOf("<f4") + 3));
  await expect(openDataset(folder)).rejects.toThrow(DataError);
  await rm(file);
  await expect(openDataset(folder)).rejects.toThrow(/pen\.npy is missing/);
});

test("verification reads every byte once, and finds a file that changed since", async () => {
  const folder = await writeTinyDataset();
  const cache = await temporaryFolder();
  const progress: number[] = [];
  const verify = async (fresh = false) => {
    const dataset = await openDataset(folder);
    const onProgress = ({ bytesDone, bytesTotal }: VerifyProgress) => progress.push(bytesDone / bytesTotal);
    return verifyDataset(dataset, undefined, { cache, fresh, onProgress }).finally(() => dataset.close());
  };
  const first = await verify();
  expect(first).toMatchObject({ files: 8, bytesRead: first.bytes });
  expect(progress).toHaveLength(8);
  expect(progress.at(-1)).toBe(1);
  expect(await verify()).toMatchObject({ bytesRead: first.bytes }); // written just now: may change within a tick
  await wait(2100);
  await verify();
  expect(await verify()).toMatchObject({ files: 8, bytes: first.bytes, bytesRead: 0 });
  expect(await verify(true)).toMatchObject({ bytesRead: first.bytes });
  const file = join(folder, "test", "image.npy");
  const { atime, mtime } = await stat(file);
  const content = await readFile(file);
  content[content.length - 1]! ^= 1;
  await writeFile(file, content);
  await utimes(file, atime, mtime); // the same size and time of change
  await expect(verify()).rejects.toThrow(/test\/image\.npy has the sha256/);
});

test("a verification ends with its signal's reason", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const stop = AbortSignal.abort(new CancelledError("enough"));
  await expect(verifyDataset(dataset, stop, { cache: await temporaryFolder() })).rejects.toThrow("enough");
  await dataset.close();
});

test("a manifest that was edited is refused, whatever was edited", async () => {
  const folder = await writeTinyDataset();
  const path = join(folder, "manifest.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"green"', '"grey"'));
  await expect(openDataset(folder)).rejects.toThrow(/edited or damaged/);
  await writeFile(path, text);
  await appendFile(path, "}");
  await expect(openDataset(folder)).rejects.toThrow(/is not JSON/);
});

test("a manifest may not point outside its folder", async () => {
  const folder = await writeTinyDataset();
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  for (const path of ["../secret.npy", "/etc/passwd", "train/../../secret.npy"]) {
    manifest.splits.train.files.pen.path = path;
    expect(() => parseManifest(JSON.stringify(manifest), "manifest.json")).toThrow(
      /a path inside the data set's folder/,
    );
  }
});

test("the sum of a manifest does not depend on the order of its keys", async () => {
  const folder = await writeTinyDataset();
  const manifest = parseManifest(await readFile(join(folder, "manifest.json"), "utf8"), "manifest.json");
  const turned = Object.fromEntries(Object.entries(manifest).reverse()) as typeof manifest;
  expect(manifestSha256(turned)).toBe(manifest.sha256);
});
