import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { openDataset } from "./dataset.ts";
import { inspectDataset } from "./inspect.ts";
import { contactSheet } from "./sheet/contact-sheet.ts";
import { labelOf, temporaryFolder, writeTinyDataset } from "./tiny-dataset.testing.ts";

test("a summary counts samples of every class and split, and is JSON", async () => {
  const folder = await writeTinyDataset();
  const summary = await inspectDataset(folder);
  const count = (samples: number, label: number) =>
    Array.from({ length: samples }, (_, i) => labelOf(i)).filter((l) => l === label).length;
  expect(summary).toMatchObject({
    name: "tiny",
    samples: 61,
    splits: [
      { name: "train", samples: 50 },
      { name: "test", samples: 11 },
    ],
    classes: ["red", "green", "blue"].map((name, label) => ({
      name,
      samples: { train: count(50, label), test: count(11, label) },
    })),
  });
  expect(summary.modalities.map(({ name, dtype }) => [name, dtype])).toEqual([
    ["image", "uint8"],
    ["pen", "float32"],
    ["level", "int16"],
    ["label", undefined],
  ]);
  expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
});

test("a set without labels is summed up without classes", async () => {
  expect(await inspectDataset(await writeTinyDataset({ labels: false }))).not.toHaveProperty("classes");
});

test.each([true, false])(
  "a contact sheet is a PNG of the size it says, with something in it (labels: %s)",
  async (labels) => {
    const dataset = await openDataset(await writeTinyDataset({ labels }));
    const out = join(await temporaryFolder(), "sheet.png");
    const size = await contactSheet(dataset, out);
    await dataset.close();
    expect(await sharp(out).metadata()).toMatchObject({ format: "png", ...size });
    const { channels } = await sharp(out).stats();
    for (const { min, max } of channels) {
      expect(min).toBeLessThan(60);
      expect(max).toBe(255);
    }
  },
);
