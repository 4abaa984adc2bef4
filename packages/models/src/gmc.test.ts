import type { Model, Present } from "@gmc/core";
import { initialTrainState, partRanges, UsageError } from "@gmc/core";
import { randomInputs, relativeError } from "@gmc/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { buildModel } from "./build-model.ts";
import { eagerEncode, eagerStep, useCpuBackend } from "./eager.testing.ts";
import type { ModalityInfo } from "./modality.ts";

beforeAll(useCpuBackend);

const infos: readonly ModalityInfo[] = [
  { name: "photo", kind: "image", shape: [6, 4, 2] },
  { name: "clip", kind: "spectrogram", shape: [7, 5, 1] },
  { name: "pose", kind: "vector", shape: [3] },
];
const config = {
  modalities: {
    photo: { encoder: { kind: "conv2d", channels: [3], kernel: 3 } },
    clip: { encoder: { kind: "spectrogram", channels: [4, 5] } },
    pose: { encoder: { kind: "linear" } },
  },
  commonDim: 6,
  latentDim: 5,
  head: { widths: [7] },
} as const;
const mutable = () => structuredClone(config) as unknown as Parameters<typeof buildModel>[0];
const rows = 4;
const normOf = (row: Float32Array): number => Math.hypot(...row);

describe("a model of three modalities", () => {
  let model: Model;
  beforeAll(async () => {
    model = await buildModel(mutable(), infos);
  });
  const encode = (present: Present) =>
    eagerEncode(model, initialTrainState(model, 3), randomInputs(model.inputs(rows, present), 5), rows, present).code;

  test("training gives rows of unit length, [M+1, b, d] with the joint ones last", () => {
    const inputs = randomInputs(model.inputs(rows, "train"), 5);
    const { embeddings, statistics } = eagerStep(model, initialTrainState(model, 3), [inputs], rows);
    expect(embeddings).toHaveLength(4 * rows * 5);
    for (let row = 0; row < 4 * rows; row++)
      expect(normOf(embeddings!.subarray(row * 5, row * 5 + 5))).toBeCloseTo(1, 6);
    // without a batch norm in it, a modality's evaluation code is its training embedding
    expect(relativeError(embeddings!.subarray(2 * rows * 5, 3 * rows * 5), encode(["pose"]))).toBeLessThan(1e-6);
    expect(Object.keys(statistics[0]!).sort()).toEqual(model.buffers.map(({ name }) => name).sort());
  });

  test("every parameter has a gradient that is finite and not zero", () => {
    const inputs = randomInputs(model.inputs(rows, "train"), 5);
    const { gradients } = eagerStep(model, initialTrainState(model, 3), [inputs], rows);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(gradient.every(Number.isFinite), name).toBe(true);
      expect(normOf(gradient), name).toBeGreaterThan(0);
    }
  });

  test("missing modalities give the mean of the present codes, not normalised again", () => {
    const [photo, pose, both] = [encode(["photo"]), encode(["pose"]), encode(["photo", "pose"])];
    const mean = photo.map((value, i) => (value + pose[i]!) / 2);
    expect(relativeError(both, mean)).toBeLessThan(1e-6);
    expect(normOf(both.subarray(0, 5))).toBeLessThan(0.999);
  });

  test("all modalities give the joint code, whatever order they are named in", () => {
    const joint = encode(["photo", "clip", "pose"]);
    const mean = ["photo", "clip", "pose"].map((name) => encode([name]));
    expect(
      relativeError(
        joint,
        joint.map((_, i) => mean.reduce((sum, code) => sum + code[i]! / 3, 0)),
      ),
    ).toBeGreaterThan(0.01);
    expect(encode(["pose", "photo", "clip"])).toEqual(joint);
    expect(normOf(joint.subarray(0, 5))).toBeCloseTo(1, 6);
  });

  test("a code does not depend on the other rows of its batch", () => {
    const present = ["clip"];
    const inputs = randomInputs(model.inputs(rows, present), 5);
    const one = { clip: inputs.clip!.slice(0, inputs.clip!.length / rows) };
    const { code } = eagerEncode(model, initialTrainState(model, 3), one, 1, present);
    expect(code).toEqual(encode(present).subarray(0, 5));
  });

  test("the parts stand together in flat order", () => {
    expect([...partRanges(model.parameters).keys()]).toEqual(["photo", "clip", "pose", "joint", "head"]);
  });

  test.each([[[]], [["smell"]], [["photo", "smell"]]])(
    "encoding from %j is refused with the modalities there are",
    (present) => {
      expect(() => model.inputs(rows, present)).toThrow(UsageError);
      expect(() => model.inputs(rows, present)).toThrow(/\(photo, clip, pose\)/);
    },
  );
});

test("a model of one modality trains against its joint encoder", async () => {
  const model = await buildModel({ commonDim: 4, latentDim: 3, head: { widths: [] } }, [infos[2]!]);
  const { loss, embeddings } = eagerStep(
    model,
    initialTrainState(model, 1),
    [randomInputs(model.inputs(5, "train"), 2)],
    5,
  );
  expect(embeddings).toHaveLength(2 * 5 * 3);
  expect(loss).toBeGreaterThan(0);
  expect(model.buffers).toEqual([]);
});
