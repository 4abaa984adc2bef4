import { existsSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeNpy, openNpy } from "@gmc/storage";
import { beforeAll, expect, test } from "vitest";
import { readTorch } from "../readers/torch.ts";
import { buildMhd } from "./mhd.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-mhd-"));
});

async function readAll(set: string, split: string, name: string) {
  const file = await openNpy(join(folder, set, split, `${name}.npy`));
  const data = await file.readRows(0, file.rows);
  await file.close();
  return { shape: file.shape, data };
}

test("both formats build the same set of the paper's shapes", async () => {
  const zip = await buildMhd({
    train: fixture("mhd_train.pt"),
    test: fixture("mhd_test.pt"),
    out: join(folder, "zip"),
  });
  const [train, test] = [fixture("mhd_train-legacy.pt"), fixture("mhd_test-legacy.pt")];
  const legacy = await buildMhd({ train, test, out: join(folder, "legacy") });
  expect(legacy.sha256).toBe(zip.sha256);
  expect(zip.modalities.map(({ name, kind, shape }) => [name, kind, shape])).toEqual([
    ["image", "image", [28, 28, 1]],
    ["sound", "spectrogram", [32, 128, 1]],
    ["trajectory", "vector", [200]],
    ["label", "label", [10]],
  ]);
  expect([zip.splits.train?.samples, zip.splits.test?.samples]).toEqual([4, 2]);
});

test("the sound is unstacked as the authors' loader does in PyTorch, the rest is taken as it comes", async () => {
  await buildMhd({ train: fixture("mhd_train.pt"), test: fixture("mhd_test.pt"), out: join(folder, "set") });
  const sound = await readAll("set", "train", "sound");
  expect(sound.shape).toEqual([4, 32, 128, 1]);
  expect(sound.data).toEqual(decodeNpy(await readFile(fixture("mhd_train_sound.npy"))).data);
  const [, image, trajectory] = (await readTorch(fixture("mhd_train.pt"))) as unknown as { data: Float32Array }[];
  expect((await readAll("set", "train", "image")).data).toEqual(image?.data);
  expect((await readAll("set", "train", "trajectory")).data).toEqual(trajectory?.data);
});

test("labels are class indices, from indices in one file and one-hot rows in the other", async () => {
  await buildMhd({ train: fixture("mhd_train.pt"), test: fixture("mhd_test.pt"), out: join(folder, "labels") });
  expect([...(await readAll("labels", "train", "labels")).data]).toEqual([0, 3, 6, 9]);
  expect([...(await readAll("labels", "test", "labels")).data]).toEqual([0, 3]);
});

test("a file of another layout is refused with the entry that differs, and nothing is left", async () => {
  const build = (train: string) =>
    buildMhd({ train: fixture(train), test: fixture("mhd_test.pt"), out: join(folder, "no") });
  await expect(build("views.pt")).rejects.toThrow(/views\.pt: expected a tuple \(label, image, trajectory, sound/);
  await expect(build("none.pt")).rejects.toThrow(/none\.pt cannot be opened/);
  expect(existsSync(join(folder, "no"))).toBe(false);
});
