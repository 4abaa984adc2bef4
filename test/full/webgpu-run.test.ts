import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatasetWriter } from "@gmc/data";
import { evaluateFolder, parseRunConfig, trainRun } from "@gmc/experiment";
import { relativeError } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useSoftwareGpu } from "../support/software-gpu.ts";

const missing = useSoftwareGpu();

describe.skipIf(missing)(`a run on webgpu${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const root = mkdtempSync(join(tmpdir(), "gmc-webgpu-"));
  const mlp = { encoder: { kind: "mlp" as const, widths: [8] } };
  const train = (out: string, engine: object, { epochs = 2, resume = false } = {}) =>
    trainRun({
      config: parseRunConfig(
        {
          data: { path: join(root, "data"), threads: 0 },
          model: { commonDim: 8, latentDim: 4, head: { widths: [8] }, modalities: { a: mlp, b: mlp } },
          engine,
          training: { batchSize: 8, shards: 2, epochs },
          evaluation: { rows: 8, classifier: { widths: [8], epochs: 1, batchSize: 8 } },
        },
        [],
      ),
      out: join(root, out),
      resume,
    });
  const environment = (run: string) => JSON.parse(readFileSync(join(root, run, "environment.json"), "utf8"));

  beforeAll(async () => {
    const modalities = ["a", "b"].map((name) => ({ name, kind: "vector", shape: [3], dtype: "float32" }) as const);
    const out = join(root, "data");
    const writer = await openDatasetWriter({ out, name: "tiny", source: "a test", modalities, classes: ["x", "y"] });
    for (const split of ["train", "test"]) {
      const [a, b] = [1, 2].map((factor) => Float32Array.from({ length: 60 }, (_, i) => Math.sin(factor * i)));
      const labels = Int32Array.from({ length: 20 }, (_, i) => i % 2);
      await writer.split(split).append({ a: a!, b: b! }, labels);
    }
    await writer.finish();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("ends where the CPU's ends, with the same bits every time, and says what computed it", async () => {
    const gpu = await train("gpu", { device: "webgpu" });
    expect((await train("again", { device: "webgpu", threads: 1 })).weightsSha256).toBe(gpu.weightsSha256);
    const cpu = await train("cpu", {});
    expect(gpu.steps).toBe(cpu.steps);
    expect(relativeError([gpu.finalLoss ?? 0], [cpu.finalLoss ?? 0])).toBeLessThan(1e-5); // four steps of float32 in another order
    expect(environment("gpu").device).toMatchObject({ kind: "webgpu", adapter: expect.stringContaining("Vulkan") });
    expect(environment("cpu").device).toEqual({ kind: "cpu" });
  });

  test("goes on from its checkpoint, to the bits of a run that never stopped", async () => {
    const resumed = await train("gpu", { device: "webgpu" }, { epochs: 3, resume: true });
    const whole = await train("whole", { device: "webgpu" }, { epochs: 3 });
    expect(resumed.steps).toBe(whole.steps);
    expect(resumed.weightsSha256).toBe(whole.weightsSha256);
    const moved = train("gpu", { device: "cpu" }, { epochs: 4, resume: true });
    await expect(moved).rejects.toThrow(/engine.device was "webgpu", is "cpu"/);
  });

  test("is evaluated on the device, its classifier on the CPU", async () => {
    const { result } = await evaluateFolder({ run: join(root, "gpu") });
    expect(Object.keys(result.accuracy ?? {})).toContain("complete");
  });

  test("auto passes a software GPU over", async () => {
    await train("auto", { device: "auto" });
    expect(environment("auto").device).toEqual({ kind: "cpu" });
  });
});
