import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { gmc, gmcJson, workFolder } from "./gmc.ts";

const folder = workFolder();
afterAll(() => folder.close());

test("the demo makes data, trains, and prints the missing-modality table and what to do next", async () => {
  // One epoch of the eight: what a newcomer sees, in less time.
  const first = await gmc(["demo", "--training.epochs", "1", "--evaluation.classifier.epochs", "2"], folder.path);
  expect(first.code, first.stderr).toBe(0);
  for (const text of ["| complete |", "| sound |", "gmc evaluate runs/demo-"]) expect(first.stdout).toContain(text);
  const [run] = readdirSync(join(folder.path, "runs")).filter((name) => /^demo-\d/.test(name));
  expect(first.stdout).toContain(`runs/${run}`);
});

test("models and config give the paper's parameter count without a data set", async () => {
  const { total } = await gmcJson<{ total: number }>(["models"], folder.path);
  expect(total).toBe(2_884_224);
  const args = ["config", join(import.meta.dirname, "../../examples/mhd.yaml"), "--training.batchSize", "128"];
  const config = await gmcJson<Record<string, unknown>>(args, folder.path);
  expect(config).toMatchObject({ parameters: { total: 2_884_224 }, config: { training: { batchSize: 128 } } });
  const text = await gmc(args, folder.path);
  expect(text.stdout).toMatch(/# together +2,884,224/);
});
