import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrainDocument } from "../../e2e/gmc.ts";
import { gmc, gmcJson, ROOT, workFolder } from "../../e2e/gmc.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const RUN = ["train", join(ROOT, "examples/demo.yaml"), "--data.path", "data", "--evaluation.classifier.epochs", "2"];
const ENGINE = ["--engine.kind", "tensorflow", "--engine.threads", "1"];

describe.skipIf(tensorflowMissing)("gmc on TensorFlow", () => {
  const folder = workFolder();
  beforeAll(async () => {
    await gmcJson(["data", "synth", "--out", "data", "--train", "128", "--test", "32", "--seed", "1"], folder.path);
  });
  afterAll(() => folder.close());

  test("trains, resumes to the bits of a run that never stopped, and evaluates", async () => {
    const whole = await gmcJson<TrainDocument>(
      [...RUN, ...ENGINE, "--training.epochs", "2", "--out", "whole"],
      folder.path,
    );
    expect(whole.status).toBe("finished");
    await gmcJson([...RUN, ...ENGINE, "--training.epochs", "1", "--out", "parts"], folder.path);
    const again = [...RUN, ...ENGINE, "--training.epochs", "2", "--out", "parts", "--resume"];
    const resumed = await gmcJson<TrainDocument>(again, folder.path);
    expect(resumed).toMatchObject({ steps: whole.steps, weightsSha256: whole.weightsSha256 });
    const environment = JSON.parse(readFileSync(join(folder.path, "whole/environment.json"), "utf8"));
    expect(environment.device).toMatchObject({
      kind: "cpu",
      library: expect.stringMatching(/^TensorFlow .* on 1 thread$/),
    });
    const evaluated = await gmc(["evaluate", "whole"], folder.path);
    expect(evaluated.code, evaluated.stderr).toBe(0);
    expect(evaluated.stdout).toContain("| complete |");
  });

  test("a resume on another engine is refused, on other threads it is warned of", async () => {
    const other = await gmc([...RUN, "--training.epochs", "3", "--out", "whole", "--resume"], folder.path);
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringMatching(/engine\.kind was "tensorflow", is "onnxruntime"/),
    ]);
    const threads = [...RUN, "--engine.kind", "tensorflow", "--engine.threads", "2", "--training.epochs", "3"];
    const warned = await gmc([...threads, "--out", "whole", "--resume"], folder.path);
    expect(warned.code, warned.stderr).toBe(0);
    expect(warned.stderr).toMatch(/deviceChanged/);
  });
});
