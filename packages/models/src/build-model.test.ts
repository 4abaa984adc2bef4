import { ConfigError } from "@gmc/core";
import { goldenMhd } from "@gmc/testkit";
import { describe, expect, test } from "vitest";
import { buildModel } from "./build-model.ts";
import type { ModelConfigInput } from "./config.ts";
import type { ModalityInfo } from "./modality.ts";

const image: ModalityInfo = { name: "photo", kind: "image", shape: [10, 8, 3] };
const sound: ModalityInfo = { name: "clip", kind: "spectrogram", shape: [16, 20, 1] };
const vector: ModalityInfo = { name: "pose", kind: "vector", shape: [6] };
const label: ModalityInfo = { name: "class", kind: "label", shape: [5] };

const namesOf = async (config: ModelConfigInput, modalities: readonly ModalityInfo[]) =>
  (await buildModel(config, modalities)).parameters.map(({ name }) => name);

/** The refusal. */
async function refusal(config: unknown, modalities: readonly ModalityInfo[] = [image, vector]): Promise<ConfigError> {
  const error = await buildModel(config as ModelConfigInput, modalities).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

describe("buildModel", () => {
  test("an empty configuration takes all modalities in the data set's order, each with the encoder of its kind", async () => {
    const model = await buildModel({}, [label, image, vector, sound]);
    expect(model.modalities).toEqual(["class", "photo", "pose", "clip"]);
    const names = model.parameters.map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(["class.projection.weight", "class.projection.bias"]);
    expect(names).toContain("photo.conv1.weight");
    expect(names).toContain("pose.dense1.weight");
    expect(names).toContain("joint.clip.norm2.scale");
    expect(model.contrastive).toEqual({ loss: "nt_xent", temperature: 0.1 });
  });

  test("the configuration chooses and orders the modalities; others of the data set stay out", async () => {
    const model = await buildModel({ modalities: { pose: {}, photo: {} } }, [image, vector, label]);
    expect(model.modalities).toEqual(["pose", "photo"]);
    expect(model.inputs(7, "train")).toEqual([
      { name: "pose", shape: [7, 6], source: { kind: "modality" } },
      { name: "photo", shape: [7, 10, 8, 3], source: { kind: "modality" } },
    ]);
    expect(model.inputs(7, ["photo"]).map(({ name }) => name)).toEqual(["photo"]);
  });

  test("the joint encoder may have another trunk than the base encoder", async () => {
    const names = await namesOf(
      { modalities: { pose: { encoder: { kind: "mlp", widths: [4] }, jointEncoder: { kind: "linear" } } } },
      [vector],
    );
    expect(names.filter((name) => name.startsWith("joint"))).toEqual([
      "joint.projection.weight",
      "joint.projection.bias",
    ]);
    expect(names).toContain("pose.dense0.weight");
  });

  test("a head without hidden layers is one linear map", async () => {
    const names = await namesOf({ head: { widths: [] } }, [vector]);
    expect(names.filter((name) => name.startsWith("head"))).toEqual(["head.dense0.weight", "head.dense0.bias"]);
  });

  test("a modality that the data set lacks is refused with both lists", async () => {
    const error = await refusal({ modalities: { photo: {}, smell: {} } });
    expect(error.details).toEqual({
      path: "model.modalities.smell",
      wanted: ["photo", "smell"],
      known: ["photo", "pose"],
    });
    expect(error.message).toMatch(/"smell".*wants photo, smell; the data set has photo, pose/);
  });

  test("preset mhd on other data is refused with both lists", async () => {
    const error = await refusal({ preset: "mhd" });
    expect(error.details.path).toBe("model.preset");
    expect(error.message).toMatch(/wants image, sound, trajectory, label; the data set has photo, pose/);
  });

  test("preset mhd keeps the paper's order of modalities whatever the data set's", async () => {
    const model = await buildModel({ preset: "mhd" }, goldenMhd.modalities.toReversed());
    expect(model.modalities).toEqual(["image", "sound", "trajectory", "label"]);
  });

  test.each([
    ["an unknown preset", { preset: "mnist" }, "model.preset", /"mnist"/],
    ["an unknown key", { temprature: 0.1 }, "model", /temprature/],
    ["a width of zero", { commonDim: 0 }, "model.commonDim", /received 0/],
    ["a head's width of zero", { head: { widths: [8, 0] } }, "model.head.widths.1", /received 0/],
    [
      "an encoder's width of zero",
      { modalities: { pose: { encoder: { kind: "mlp", widths: [0] } } } },
      "model.modalities.pose.encoder.widths.0",
      /received 0/,
    ],
    [
      "an unknown encoder",
      { modalities: { pose: { encoder: { kind: "gru" } } } },
      "model.modalities.pose.encoder.kind",
      /"gru"/,
    ],
    ["a temperature of zero", { temperature: 0 }, "model.temperature", /received 0/],
    ["no modality", { modalities: {} }, "model.modalities", /received none/],
    [
      "a preset beside modalities",
      { preset: "mhd", modalities: { pose: {} } },
      "model.modalities",
      /exclude each other/,
    ],
  ])("%s is refused, naming the key", async (_, config, path, message) => {
    const error = await refusal(config);
    expect(error.details.path).toBe(path);
    expect(error.message).toMatch(message);
  });

  test.each([
    [
      "two modalities of one name",
      [vector, image, { ...image, name: "pose" }],
      /"pose" comes twice.*pose, photo, pose/,
    ],
    ["a modality named after a part", [{ ...vector, name: "joint" }], /"joint" has the name of a part/],
    ["a name with a dot", [{ ...vector, name: "a.b" }], /"a.b" needs a name of letters/],
    ["an empty axis", [{ ...vector, shape: [0] }], /"pose" needs a shape of positive lengths, received \[0\]/],
    ["no modality", [], /received none/],
  ])("a data set with %s is refused", async (_, modalities, message) => {
    expect((await refusal({}, modalities)).message).toMatch(message);
  });

  test.each([
    [
      "an image too small for a kernel",
      { ...image, shape: [6, 12, 1] },
      /convolution 2 of 2 sees 3×6 pixels, its kernel has 4×4/,
    ],
    ["a spectrogram too short", { ...sound, shape: [6, 20, 1] }, /convolution 3 of 3 sees 3 frames, its kernel has 4/],
    [
      "an image encoder on a vector",
      { ...vector, kind: "image" as const },
      /needs samples \[height, width, channels\].*\[6\]/,
    ],
    [
      "a sound encoder on a vector",
      { ...vector, kind: "spectrogram" as const },
      /needs samples \[frames, bands, channels\].*\[6\]/,
    ],
  ])("%s is refused, naming the encoder's key", async (_, modality, message) => {
    const error = await refusal({}, [modality]);
    expect(error.details.path).toBe(`model.modalities.${modality.name}.encoder`);
    expect(error.message).toMatch(message);
  });
});
