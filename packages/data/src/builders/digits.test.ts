import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { openNpy } from "@gmc/storage";
import { sharedPath } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { readManifest } from "../dataset.ts";
import { logMel } from "../readers/log-mel.ts";
import { resampleTrajectory } from "../readers/trajectory.ts";
import { readWav } from "../readers/wav.ts";
import { buildDigits } from "./digits.ts";
import { pairByClass } from "./digits-pairing.ts";

let folder: string;
let sources: { mnist: string; pen: string; speech: string };

/** Small sources of the real layouts: 30 train and 20 test images of classes 0 to 9, pen and speech pools of 2 a class. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-digits-"));
  sources = { mnist: join(folder, "mnist"), pen: join(folder, "pen"), speech: join(folder, "fsdd") };
  await mkdir(sources.mnist);
  await mkdir(sources.pen);
  await mkdir(join(sources.speech, "recordings"), { recursive: true });
  for (const [stem, count] of [
    ["train", 30],
    ["t10k", 20],
  ] as const) {
    const images = Buffer.alloc(16 + count * 784);
    images.set([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]);
    for (let i = 0; i < count; i++) images.fill(i, 16 + i * 784, 16 + (i + 1) * 784);
    const labels = Buffer.from([0, 0, 8, 1, 0, 0, 0, count, ...Array.from({ length: count }, (_, i) => (i * 7) % 10)]);
    await writeFile(join(sources.mnist, `${stem}-images-idx3-ubyte.gz`), gzipSync(images));
    await writeFile(join(sources.mnist, `${stem}-labels-idx1-ubyte`), labels);
  }
  for (const [name, shift] of [
    ["pendigits-train", 0],
    ["pendigits-test", 50],
  ] as const) {
    const segments = Array.from(
      { length: 20 },
      (_, i) =>
        `.SEGMENT DIGIT ${i} ? "${i % 10}"\n.PEN_DOWN\n0 ${shift}\n${10 + i} 5\n.PEN_UP\n.PEN_DOWN\n3 ${i}\n.PEN_UP\n`,
    );
    await writeFile(join(sources.pen, name), segments.join(""));
  }
  for (let digit = 0; digit < 10; digit++) {
    for (const index of [0, 4, 5, 49]) await writeTone(digit, index);
  }
});

async function writeTone(digit: number, index: number): Promise<void> {
  const bytes = Buffer.alloc(44 + 2 * 2000);
  bytes.write("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", "latin1");
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(4000, 40);
  for (let i = 0; i < 2000; i++)
    bytes.writeInt16LE(Math.round(9000 * Math.sin(i * (0.2 + digit / 20 + index / 500))), 44 + 2 * i);
  await writeFile(join(sources.speech, "recordings", `${digit}_ann_${index}.wav`), bytes);
}

const out = (name: string): string => join(folder, "out", name);

async function readAll(set: string, split: string, name: string) {
  const file = await openNpy(join(set, split, `${name}.npy`));
  const data = await file.readRows(0, file.rows);
  await file.close();
  return { data, shape: file.shape, dtype: file.dtype };
}

test("every image keeps its place and gets a trajectory and a sound of its own class and split", async () => {
  const manifest = await buildDigits({ ...sources, out: out("a"), seed: 1 });
  expect(await readManifest(out("a"))).toEqual(manifest);
  expect(manifest.modalities.map(({ name, kind, shape }) => [name, kind, shape])).toEqual([
    ["image", "image", [28, 28, 1]],
    ["sound", "spectrogram", [32, 128, 1]],
    ["trajectory", "vector", [200]],
    ["label", "label", [10]],
  ]);
  const { data: labels } = await readAll(out("a"), "train", "labels");
  expect([...labels]).toEqual(Array.from({ length: 30 }, (_, i) => (i * 7) % 10));
  const image = await readAll(out("a"), "train", "image");
  expect({ dtype: image.dtype, shape: image.shape, tenth: image.data[10 * 784] }).toEqual({
    dtype: "uint8",
    shape: [30, 28, 28, 1],
    tenth: 10,
  });
  for (const [split, shift, indices] of [
    ["train", 0, [5, 49]],
    ["test", 50, [0, 4]],
  ] as const) {
    const sound = (await readAll(out("a"), split, "sound")).data as Float32Array;
    const trajectory = (await readAll(out("a"), split, "trajectory")).data as Float32Array;
    for (const i of [0, 1, 2, 13]) {
      const digit = (i * 7) % 10;
      const strokes = [digit, digit + 10].map((n) => [Float64Array.of(0, shift, 10 + n, 5), Float64Array.of(3, n)]);
      expect(strokes.map((s) => resampleTrajectory(s))).toContainEqual(trajectory.slice(i * 200, i * 200 + 200));
      const mels: Float32Array[] = [];
      for (const index of indices) {
        const { samples } = await readWav(join(sources.speech, "recordings", `${digit}_ann_${index}.wav`));
        mels.push(logMel(samples));
      }
      expect(mels).toContainEqual(sound.slice(i * 4096, i * 4096 + 4096));
    }
  }
});

test("the same seed builds the same bytes, another seed other pairs", async () => {
  const build = (name: string, seed: number) => buildDigits({ ...sources, out: out(name), seed });
  const [first, again, other] = [await build("b1", 1), await build("b2", 1), await build("b3", 2)];
  expect(again.sha256).toBe(first.sha256);
  expect(other.splits.train?.files.sound?.sha256).not.toBe(first.splits.train?.files.sound?.sha256);
  expect(other.splits.train?.files.image?.sha256).toBe(first.splits.train?.files.image?.sha256);
});

test("images drawn from strokes belong to the trajectory beside them and need no MNIST", async () => {
  const { pen, speech } = sources;
  const manifest = await buildDigits({ pen, speech, out: out("strokes"), images: "strokes" });
  expect(manifest.splits.train?.samples).toBe(20);
  const trajectory = (await readAll(out("strokes"), "train", "trajectory")).data as Float32Array;
  expect(trajectory.slice(2400, 2600)).toEqual(
    resampleTrajectory([Float64Array.of(0, 0, 22, 5), Float64Array.of(3, 12)]),
  );
  const image = (await readAll(out("strokes"), "train", "image")).data as Uint8Array;
  const rows = Array.from({ length: 20 }, (_, i) => image.slice(i * 784, (i + 1) * 784).join());
  expect(new Set(rows).size).toBe(20);
  expect(Math.max(...image)).toBe(255);
});

test("a smaller set is the first samples, and progress is told to the end", async () => {
  const seen: string[] = [];
  const manifest = await buildDigits({
    ...sources,
    out: out("small"),
    most: { train: 5 },
    onProgress: ({ split, done, samples }) => void seen.push(`${split} ${done}/${samples}`),
  });
  expect([manifest.splits.train?.samples, manifest.splits.test?.samples]).toEqual([5, 20]);
  expect(seen).toEqual(["train 5/5", "test 20/20"]);
});

describe("what goes wrong", () => {
  test("an existing folder is refused, a cancelled or failed build leaves nothing", async () => {
    await mkdir(out("there"), { recursive: true });
    await expect(buildDigits({ ...sources, out: out("there") })).rejects.toMatchObject({ code: "ERR_USAGE" });
    const before = readdirSync(out("."));
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    await expect(
      buildDigits({ ...sources, out: out("cancelled"), signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({ code: "ERR_CANCELLED" });
    await expect(buildDigits({ ...sources, mnist: sources.pen, out: out("failed") })).rejects.toThrow(
      /no train-images file; looked for train-images-idx3-ubyte, train-images-idx3-ubyte\.gz/,
    );
    expect(readdirSync(out("."))).toEqual(before);
    expect(existsSync(out("cancelled"))).toBe(false);
  });

  test("recordings with other names are refused by name", async () => {
    await expect(buildDigits({ ...sources, speech: join(folder, "pen"), out: out("x") })).rejects.toThrow(
      /no \.wav file/,
    );
    const speech = join(folder, "other");
    await mkdir(speech);
    await writeFile(join(speech, "hello.wav"), "");
    await expect(buildDigits({ ...sources, speech, out: out("x") })).rejects.toThrow(
      /hello\.wav: expected a name like/,
    );
  });
});

describe("pairByClass", () => {
  test("uses every partner of a class before one again, and only its own class", () => {
    const labels = Uint8Array.from({ length: 40 }, (_, i) => i % 2);
    const pool = Uint8Array.of(0, 1, 1, 0, 1, 0, 0);
    const partners = pairByClass(3, "test", labels, pool);
    for (const [i, partner] of partners.entries()) expect(pool[partner]).toBe(labels[i]);
    const zeros = partners.filter((_, i) => i % 2 === 0);
    expect([...zeros.slice(0, 4)].sort()).toEqual([0, 3, 5, 6]);
    expect(zeros.slice(4, 8)).toEqual(zeros.slice(0, 4));
    expect(() => pairByClass(3, "test", Uint8Array.of(2), pool)).toThrow(/no test of class 2/);
  });
});

test("a subset of the real sources has the real first labels and plausible values", async ({ skip }) => {
  const digits = sharedPath("data/digits");
  if (digits === undefined) return skip("shared/data/digits is absent");
  const manifest = await buildDigits({
    mnist: `${digits}/mnist`,
    pen: `${digits}/trajectories`,
    speech: `${digits}/fsdd`,
    out: out("real"),
    most: { train: 200, test: 100 },
  });
  expect([...(await readAll(out("real"), "train", "labels")).data].slice(0, 10)).toEqual([
    5, 0, 4, 1, 9, 2, 1, 3, 1, 4,
  ]);
  expect([...(await readAll(out("real"), "test", "labels")).data].slice(0, 10)).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  for (const entry of manifest.modalities) {
    if (entry.kind === "label") continue;
    const { min, max, mean } = entry.statistics;
    expect({ name: entry.name, max }).toEqual({ name: entry.name, max: 1 });
    expect(min).toBe(entry.name === "trajectory" ? -1 : 0);
    expect(mean).toBeGreaterThan(entry.name === "trajectory" ? -0.2 : 0.1);
  }
}, 60_000);
