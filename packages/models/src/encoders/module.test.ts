import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, initialTrainState } from "@gmc/core";
import { randomInputs } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildModel } from "../build-model.ts";
import { eagerStep, useCpuBackend } from "../eager.testing.ts";
import type { ModalityInfo } from "../modality.ts";

const pose: ModalityInfo = { name: "pose", kind: "vector", shape: [4] };
let folder: string;
beforeAll(async () => {
  await useCpuBackend();
  folder = await mkdtemp(join(tmpdir(), "gmc-module-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The model of a module with this source. */
async function build(name: string, source: string) {
  await writeFile(join(folder, name), source);
  const encoder = { kind: "module" as const, path: name, options: { width: 3 } };
  return buildModel({ modalities: { pose: { encoder } }, commonDim: 4, latentDim: 3, head: { widths: [] } }, [pose], {
    folder,
  });
}

const good = `
  export function createTrunk({ modality, options, tf, layers }) {
    const { width } = options;
    return {
      width,
      parameters: [...layers.denseParameters("in", modality.shape[0], width), ...layers.batchNormParameters("norm", width)],
      buffers: layers.batchNormBuffers("norm", width),
      apply: (x, scope) => tf.tanh(layers.batchNorm(layers.dense(x, "in", scope), "norm", scope)),
    };
  }`;

describe("a user's own module", () => {
  test("becomes the base trunk, and with weights of its own the joint one", async () => {
    const model = await build("good.mjs", good);
    const names = model.parameters.map(({ name }) => name);
    expect(names).toContain("pose.in.weight");
    expect(names).toContain("joint.pose.norm.scale");
    expect(model.buffers.map(({ name }) => name)).toContain("joint.pose.norm.variance");
    const { gradients, statistics } = eagerStep(
      model,
      initialTrainState(model, 1),
      [randomInputs(model.inputs(5, "train"), 1)],
      5,
    );
    expect(Math.hypot(...gradients["pose.in.weight"]!)).toBeGreaterThan(0);
    expect(Object.keys(statistics[0]!)).toContain("pose.norm.mean");
  });

  test.each([
    ["missing.mjs", undefined, /cannot load the module/],
    ["syntax.mjs", "export function (", /cannot load the module/],
    ["names.mjs", "export const build = 1, other = 2;", /to export a function createTrunk, it exports build, other\./],
    ["empty.mjs", "", /to export a function createTrunk, it exports nothing\./],
    [
      "throws.mjs",
      "export const createTrunk = () => { throw new Error('no weights') };",
      /createTrunk of .* failed: no weights/,
    ],
    ["null.mjs", "export const createTrunk = () => null;", /returned null, not a trunk/],
    [
      "width.mjs",
      "export const createTrunk = () => ({ width: 0, apply: (x) => x });",
      /`width` 0, not a positive integer/,
    ],
    ["apply.mjs", "export const createTrunk = () => ({ width: 3 });", /no function `apply\(x, scope\)`/],
    [
      "parameters.mjs",
      "export const createTrunk = () => ({ width: 3, parameters: [{ name: 'w', shape: [0] }], apply: (x) => x });",
      /`parameters` that are no list of/,
    ],
    [
      "twice.mjs",
      "const p = { name: 'w', shape: [1], initialiser: { kind: 'constant', value: 0 } };" +
        "export const createTrunk = () => ({ width: 3, parameters: [p, p], apply: (x) => x });",
      /two tensors named "w"/,
    ],
  ])("that is no trunk (%s) is refused, naming file and key", async (name, source, message) => {
    const encoder = { kind: "module" as const, path: name };
    if (source !== undefined) await writeFile(join(folder, name), source);
    const error = await buildModel({ modalities: { pose: { encoder } } }, [pose], { folder }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).details).toMatchObject({
      path: "model.modalities.pose.encoder",
      file: join(folder, name),
    });
    expect((error as ConfigError).message).toMatch(message);
  });

  test("whose features have another width than promised is refused at its first call", async () => {
    const model = await build("wide.mjs", "export const createTrunk = () => ({ width: 3, apply: (x) => x });");
    const inputs = randomInputs(model.inputs(2, "train"), 1);
    expect(() => eagerStep(model, initialTrainState(model, 1), [inputs], 2)).toThrow(/shape \[2,4\].*promises \[2,3\]/);
  });
});
