import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodeNpy, openNpy } from "@gmc/storage";
import sharp from "sharp";
import { beforeEach, describe, expect, test } from "vitest";
import { readManifest } from "../dataset.ts";
import { logMel } from "../readers/log-mel.ts";
import { readWav } from "../readers/wav.ts";
import { importDataset } from "./import-dataset.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-import-"));
});

/** Files of a test by path; text, bytes, or what makes them. */
async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

async function runImport(yaml: string, out = "set") {
  await write({ "import.yaml": yaml });
  return importDataset(join(folder, "import.yaml"), join(folder, out));
}

async function readAll(split: string, name: string, set = "set") {
  const file = await openNpy(join(folder, set, split, `${name}.npy`));
  const data = await file.readRows(0, file.rows);
  await file.close();
  return { shape: file.shape, dtype: file.dtype, data: [...data] };
}

const counted = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);

function wav(frequency: number, rate = 8000): Buffer {
  const bytes = Buffer.alloc(44 + 2 * 900);
  bytes.write("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", "latin1");
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(1800, 40);
  for (let i = 0; i < 900; i++) bytes.writeInt16LE(Math.round(9000 * Math.sin(i * frequency)), 44 + 2 * i);
  return bytes;
}

const png = (value: number): Promise<Buffer> =>
  sharp(Buffer.alloc(4 * 4, value), { raw: { width: 4, height: 4, channels: 1 } })
    .png()
    .toBuffer();

describe("arrays", () => {
  test("three npy files and a label file become a set of two drawn splits, rows kept together", async () => {
    await write({
      "a.npy": encodeNpy(counted(40), [20, 2]),
      "b.npy": encodeNpy(
        BigInt64Array.from(counted(20), (v) => BigInt(v)),
        [20],
      ),
      "c.npy": encodeNpy(
        Uint8Array.from({ length: 20 * 4 }, (_, i) => i),
        [20, 2, 2],
      ),
      "y.npy": encodeNpy(
        Int32Array.from({ length: 20 }, (_, i) => i % 3),
        [20],
      ),
    });
    const manifest = await runImport(`
name: mine
modalities:
  a: { format: npy, file: a.npy }
  b: { format: npy, file: b.npy, scale: 0.5 }
  c: { format: npy, file: c.npy }
  label: { format: label }
labels: { format: npy, file: y.npy }
splits: { draw: { test: 0.25 }, seed: 3 }
`);
    expect(await readManifest(join(folder, "set"))).toEqual(manifest);
    expect(manifest.modalities).toMatchObject([
      { name: "a", kind: "vector", shape: [2], dtype: "float32", scale: 1 },
      { name: "b", kind: "vector", shape: [1], dtype: "int32", scale: 0.5 },
      { name: "c", kind: "image", shape: [2, 2, 1], dtype: "uint8", scale: 1 / 255 },
      { name: "label", kind: "label", shape: [3] },
    ]);
    expect(manifest.classes).toEqual(["0", "1", "2"]);
    const rows: number[] = [];
    for (const [split, count] of [
      ["train", 15],
      ["test", 5],
    ] as const) {
      const b = (await readAll(split, "b")).data.map(Number);
      expect(b).toHaveLength(count);
      expect((await readAll(split, "a")).data).toEqual(b.flatMap((row) => [2 * row, 2 * row + 1]));
      expect((await readAll(split, "c")).data).toEqual(b.flatMap((row) => [0, 1, 2, 3].map((i) => 4 * row + i)));
      expect((await readAll(split, "labels")).data).toEqual(b.map((row) => row % 3));
      rows.push(...b);
    }
    expect(rows.toSorted((x, y) => x - y)).toEqual([...counted(20)]);
  });

  test("the same seed draws the same splits, another seed others", async () => {
    await write({ "a.npy": encodeNpy(counted(50), [50]) });
    const yaml = (seed: number) =>
      `{name: m, modalities: {a: {format: npy, file: a.npy}}, splits: {draw: {test: 0.2}, seed: ${seed}}}`;
    const sums: (string | undefined)[] = [];
    for (const [i, seed] of [0, 0, 1].entries()) {
      sums.push((await runImport(yaml(seed), `set${i}`)).splits.test?.files.a?.sha256);
    }
    expect(sums[1]).toBe(sums[0]);
    expect(sums[2]).not.toBe(sums[0]);
  });

  test("splits with files of their own, channels first, a shape for flat rows, and no labels", async () => {
    await write({
      "train/x.npy": encodeNpy(counted(2 * 3 * 4), [2, 3, 2, 2]),
      "test/x.npy": encodeNpy(counted(1 * 3 * 4), [1, 3, 2, 2]),
      "train/flat.npy": encodeNpy(counted(12), [2, 6]),
      "test/flat.npy": encodeNpy(counted(6), [1, 6]),
    });
    const manifest = await runImport(`
name: own
modalities:
  x: { format: npy, file: "{split}/x.npy", channels: first }
  s: { format: npy, file: "{split}/flat.npy", shape: [3, 2], kind: spectrogram }
splits: { files: [train, test] }
`);
    expect(manifest.classes).toBeUndefined();
    expect([manifest.splits.train?.samples, manifest.splits.test?.samples]).toEqual([2, 1]);
    expect(await readAll("test", "x")).toMatchObject({
      shape: [1, 2, 2, 3],
      data: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11],
    });
    expect((await readAll("train", "s")).shape).toEqual([2, 3, 2, 1]);
  });

  test("npz, idx and csv together, with text labels, named columns and given rows", async () => {
    const fixtures = new URL("../../fixtures/arrays.npz", import.meta.url).pathname;
    await write({
      "d.idx": Buffer.from([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4]),
      "t.csv": "x,y,kind\n1,2,dog\n3,4,cat\n",
    });
    const manifest = await runImport(`
name: mixed
modalities:
  n: { format: npz, file: ${fixtures}, key: a }
  d: { format: idx, file: d.idx, scale: 2, offset: 1 }
  t: { format: csv, file: t.csv }
  y: { format: csv, file: t.csv, columns: [y] }
labels: { format: csv, file: t.csv, column: kind }
splits: { rows: { test: [0, 1], train: [1, 2] } }
`);
    expect(manifest.classes).toEqual(["cat", "dog"]);
    expect(manifest.modalities.map(({ shape }) => shape)).toEqual([[3], [2], [2], [1]]);
    expect((await readAll("train", "t")).data).toEqual([3, 4]);
    expect((await readAll("test", "y")).data).toEqual([2]);
    expect((await readAll("train", "labels")).data).toEqual([0]);
    expect(manifest.modalities[1]).toMatchObject({ scale: 2, offset: 1, statistics: { min: 7, max: 9 } });
  });

  test("splits named in a csv column, and labels as one-hot rows with given classes", async () => {
    await write({
      "a.npy": encodeNpy(counted(3), [3]),
      "y.npy": encodeNpy(Float32Array.of(0, 1, 1, 0, 0, 1), [3, 2]),
      "s.csv": "split\ntest\ntrain\ntrain\n",
    });
    const manifest = await runImport(`
name: m
modalities: { a: { format: npy, file: a.npy } }
labels: { format: npy, file: y.npy, classes: [no, yes] }
splits: { column: { file: s.csv, column: split } }
`);
    expect(manifest.classes).toEqual(["no", "yes"]);
    expect((await readAll("train", "a")).data).toEqual([1, 2]);
    expect((await readAll("train", "labels")).data).toEqual([0, 1]);
  });
});

describe("folders", () => {
  test("images and recordings pair by name, labels are the folders' names", async () => {
    for (const [i, name] of ["cat/1", "cat/2", "dog/1"].entries()) {
      await write({ [`photos/${name}.png`]: await png(i * 40), [`sounds/${name}.wav`]: wav(0.1 * (i + 1)) });
    }
    const manifest = await runImport(`
name: pets
modalities:
  photo: { format: images, folder: photos, height: 4, width: 4, channels: 1 }
  sound: { format: wav, folder: sounds }
  wave: { format: wav, folder: sounds, features: raw, length: 1000 }
labels: { format: names, modality: photo }
`);
    expect(manifest.modalities).toMatchObject([
      { kind: "image", shape: [4, 4, 1], dtype: "uint8", scale: 1 / 255 },
      { kind: "spectrogram", shape: [32, 128, 1] },
      { kind: "vector", shape: [1000] },
    ]);
    expect((await readAll("train", "photo")).data.slice(16, 18)).toEqual([40, 40]);
    expect((await readAll("train", "labels")).data).toEqual([0, 0, 1]);
    const { samples } = await readWav(join(folder, "sounds/dog/1.wav"));
    expect((await readAll("train", "sound")).data.slice(2 * 4096)).toEqual([...logMel(samples)]);
    expect((await readAll("train", "wave")).data.slice(2000, 2900)).toEqual([...Float32Array.from(samples)]);
    expect((await readAll("train", "wave")).data.at(-1)).toBe(0);
  });

  test("a list names the files of each sample, a pattern takes the label from their names", async () => {
    await write({ "w/7_ann.wav": wav(0.3), "w/3_bob.wav": wav(0.2), "l.csv": "w\n7_ann.wav\n3_bob.wav\n7_ann.wav\n" });
    const manifest = await runImport(`
name: m
modalities: { w: { format: wav, folder: w, list: { file: l.csv, column: w }, features: raw, length: 900 } }
labels: { format: names, modality: w, pattern: "^(\\\\d)_" }
`);
    expect(manifest.classes).toEqual(["3", "7"]);
    expect((await readAll("train", "labels")).data).toEqual([1, 0, 1]);
    const { data } = await readAll("train", "w");
    expect(data.slice(1800)).toEqual(data.slice(0, 900));
  });
});

describe("what is refused, and how it is named", () => {
  const two = "name: m\nmodalities:\n  a: { format: npy, file: a.npy }\n  b: { format: npy, file: b.npy }\n";

  test("a sample that lacks a modality, in arrays of different length", async () => {
    await write({ "a.npy": encodeNpy(counted(5), [5]), "b.npy": encodeNpy(counted(3), [3]) });
    await expect(runImport(two)).rejects.toMatchObject({
      code: "ERR_DATA",
      message: expect.stringMatching(/^Sample 3 lacks modality "b": it has 3 samples, "a" has 5/),
    });
  });

  test("a sample that lacks a modality, in folders and in lists", async () => {
    await write({
      "p/1.png": await png(1),
      "p/2.png": await png(2),
      "w/2.wav": wav(0.1),
      "l.csv": "id,w\nx,2.wav\ny,\n",
    });
    const yaml = (list: string) =>
      `{name: m, modalities: {p: {format: images, folder: p, height: 4, width: 4}, w: {format: wav, folder: w${list}}}}`;
    await expect(runImport(yaml(""))).rejects.toThrow(/^Sample "1" lacks modality "w"/);
    await expect(runImport(yaml(", list: {file: l.csv, column: w}"))).rejects.toThrow(
      /l\.csv:3: sample 1 lacks modality "w": the cell is empty/,
    );
  });

  test("a value that is not a number, with file and row", async () => {
    const b = counted(5);
    b[4] = Number.NaN;
    await write({ "a.npy": encodeNpy(counted(5), [5]), "b.npy": encodeNpy(b, [5]), "b.csv": "x\n1\n2\n3\n\n?\n4\n" });
    await expect(runImport(two)).rejects.toThrow(/b\.npy, row 4: sample 4 of modality "b" holds NaN/);
    const csv = two.replace("format: npy, file: b.npy", "format: csv, file: b.csv");
    await expect(runImport(csv)).rejects.toThrow(/b\.csv:6: column "x" holds "\?"/);
  });

  test("labels that are too few, empty or no class", async () => {
    await write({
      "a.npy": encodeNpy(counted(2), [2]),
      "l.csv": "l\ncat\ncow\n",
      "few.csv": "l\ncat\n",
      "no.csv": "l,x\ncat,1\n,1\n",
    });
    const yaml = (file: string, classes = "") =>
      `{name: m, modalities: {a: {format: npy, file: a.npy}}, labels: {format: csv, file: ${file}, column: l${classes}}}`;
    await expect(runImport(yaml("few.csv"))).rejects.toThrow(/There are 1 labels for 2 samples/);
    await expect(runImport(yaml("no.csv"))).rejects.toThrow(/no\.csv:3: column "l" is empty; sample 1 has no label/);
    await expect(runImport(yaml("l.csv", ", classes: [cat, dog]"))).rejects.toThrow(
      /l\.csv:3: label "cow" is none of the classes cat, dog/,
    );
  });

  test("recordings at another rate and files that differ between splits", async () => {
    await write({ "w/1.wav": wav(0.1, 16000) });
    await expect(runImport("{name: m, modalities: {w: {format: wav, folder: w}}}")).rejects.toThrow(
      /1\.wav: recorded at 16000 Hz, sampleRate says 8000/,
    );
    await write({ "train.npy": encodeNpy(counted(4), [2, 2]), "test.npy": encodeNpy(counted(6), [2, 3]) });
    const yaml = `{name: m, modalities: {a: {format: npy, file: "{split}.npy"}}, splits: {files: [train, test]}}`;
    await expect(runImport(yaml)).rejects.toThrow(
      /samples are float32 \[2\] in split "train", float32 \[3\] in "test"/,
    );
  });

  test("splits that overlap, reach too far or stay empty", async () => {
    await write({ "a.npy": encodeNpy(counted(4), [4]) });
    const yaml = (splits: string) => `{name: m, modalities: {a: {format: npy, file: a.npy}}, splits: {${splits}}}`;
    await expect(runImport(yaml("rows: {x: [0, 3], y: [2, 4]}"))).rejects.toThrow(/sample 2 is in both "x" and "y"/);
    await expect(runImport(yaml("rows: {x: [0, 5]}"))).rejects.toThrow(/no range within 4 samples/);
    await expect(runImport(yaml("draw: {test: 0.01}"))).rejects.toThrow(/0\.01 of 4 samples is none/);
    await expect(runImport(yaml("draw: {test: 0.5, validation: 0.5}"))).rejects.toThrow(/leaves nothing/);
    await expect(runImport(yaml("draw: {test: 0.5}, rows: {x: [0, 4]}"))).rejects.toThrow(
      /give one of files, draw, rows and column/,
    );
  });

  test("mistakes in the YAML, by line and key", async () => {
    const broken = two.replace("file: b.npy }", "fle: b.npy }");
    await expect(runImport(broken)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringMatching(
        /import\.yaml:4: modalities\.b.*file.*\n.*import\.yaml:4: modalities\.b: .*"fle"/s,
      ),
    });
    await expect(runImport("name: m\nmodalities:\n  a: { format: nyp, file: x }\n")).rejects.toThrow(
      /import\.yaml:3: .*npy/,
    );
    await expect(runImport("name: [m\n")).rejects.toThrow(/import\.yaml:\d: /);
    await expect(runImport("name: m\nmodalities: {}\n")).rejects.toThrow(
      /import\.yaml:2: modalities: name at least one/,
    );
    await expect(importDataset(join(folder, "none.yaml"), join(folder, "x"))).rejects.toMatchObject({
      code: "ERR_CONFIG",
    });
  });

  test("an existing folder; and nothing is left of a failed or cancelled import", async () => {
    await write({ "a.npy": encodeNpy(counted(5), [5]), "b.npy": encodeNpy(counted(5), [5]) });
    await mkdir(join(folder, "there"));
    await expect(runImport(two, "there")).rejects.toMatchObject({ code: "ERR_USAGE" });
    const before = readdirSync(folder);
    const signal = AbortSignal.abort();
    await expect(importDataset(join(folder, "import.yaml"), join(folder, "no"), { signal })).rejects.toMatchObject({
      code: "ERR_CANCELLED",
    });
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(join(folder, "no"))).toBe(false);
  });
});
