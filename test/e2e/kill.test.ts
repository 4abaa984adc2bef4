import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "@gmc/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainDocument } from "./gmc.ts";
import { gmc, gmcJson, ROOT, sleep, start, workFolder } from "./gmc.ts";

const folder = workFolder();
const ARGS = ["train", join(ROOT, "examples/demo.yaml"), "--data.path", "data/synth", "--training.epochs", "4"];
let whole: TrainDocument;
let wallMs: number;

beforeAll(async () => {
  const made = await gmc(
    ["data", "synth", "--out", "data/synth", "--train", "128", "--test", "20", "--seed", "1"],
    folder.path,
  );
  expect(made.code, made.stderr).toBe(0);
  const began = performance.now();
  whole = await gmcJson<TrainDocument>([...ARGS, "--out", "runs/whole"], folder.path);
  wallMs = performance.now() - began;
});
afterAll(() => folder.close());

// Moments spread over the run's whole life: start-up, between checkpoints, while one is written.
test.each([0.3, 0.6, 0.75, 0.9])(
  "after a kill at %d of the run's time a resume ends with the weights of a run that was not killed",
  async (fraction) => {
    const out = `runs/killed-${fraction}`;
    const running = start([...ARGS, "--out", out], folder.path);
    await sleep(wallMs * fraction);
    running.child.kill("SIGKILL");
    const { signal } = await running.ended;
    const last = join(folder.path, out, "checkpoints/last.json");
    if (existsSync(last)) {
      const { file } = JSON.parse(readFileSync(last, "utf8"));
      await readSafetensors(join(folder.path, out, "checkpoints", file)); // whole, or it throws
    }
    const resumable = existsSync(join(folder.path, out, "config.yaml"));
    const again = await gmcJson<TrainDocument>(
      [...ARGS, "--out", out, ...(resumable ? ["--resume"] : [])],
      folder.path,
    );
    expect(again).toMatchObject({ status: "finished", steps: whole.steps, weightsSha256: whole.weightsSha256 });
    expect(signal === "SIGKILL" || again.steps === whole.steps).toBe(true);
  },
);
