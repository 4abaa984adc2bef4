import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "@gmc/core";
import { afterAll, expect, test } from "vitest";
import { readSweep } from "./read-sweep.ts";

const example = (name: string) => fileURLToPath(new URL(`../../../../examples/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gmc-sweep-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the paper's experiment is one configuration with five seeds, evaluated and aligned", async () => {
  const { name, cells, evaluate } = await readSweep(example("mhd-5-seeds.yaml"), [["data.path", "data/mhd"]]);
  expect([name, evaluate]).toEqual(["mhd-5-seeds", ["evaluation", "alignment"]]);
  expect(cells.map(({ seed }) => seed)).toEqual([0, 1, 2, 3, 4]);
  expect(cells[3]?.config).toMatchObject({
    seed: 3,
    data: { path: "data/mhd" },
    model: { preset: "mhd", temperature: 0.1 },
    training: { batchSize: 64, epochs: 100 },
  });
});

test("the demo is two values with three seeds", async () => {
  const { cells } = await readSweep(example("demo-sweep.yaml"));
  expect(cells.map(({ point, seed }) => [point["training.optimizer.learningRate"], seed])).toEqual([
    [3e-4, 0],
    [3e-4, 1],
    [3e-4, 2],
    [1e-3, 0],
    [1e-3, 1],
    [1e-3, 2],
  ]);
});

test("a base is looked for beside the sweep's file, and one that is missing is named with its line", async () => {
  const file = join(folder, "sweep.yaml");
  writeFileSync(file, "seeds: 2\nbase: nowhere.yaml\n");
  await expect(readSweep(file)).rejects.toMatchObject({
    code: "ERR_CONFIG",
    message: `base: ${join(folder, "nowhere.yaml")} cannot be read (line 2 of ${file}).`,
  });
  await expect(readSweep(join(folder, "none.yaml"))).rejects.toThrow(UsageError);
});
