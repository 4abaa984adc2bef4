import type { Model } from "@gmc/core";
import { ConfigError } from "@gmc/core";
import type { ModalityConfig, ModelConfigInput } from "./config.ts";
import { ModelConfig } from "./config.ts";
import { buildTrunk, defaultEncoder } from "./encoders/build-trunk.ts";
import type { GmcModality } from "./gmc.ts";
import { gmcModel } from "./gmc.ts";
import type { ModalityInfo } from "./modality.ts";
import { presets } from "./presets.ts";

/** Parts of the model that no modality may be named after. */
const RESERVED = ["joint", "head"];

/** What a configuration alone cannot say. */
export interface BuildOptions {
  /** Where a user module's relative path starts; absent: the working directory. */
  readonly folder?: string;
}

/**
 * The GMC model a configuration describes, for these modalities of a data set.
 *
 * @param config      section `model`; what has a default may be absent
 * @param modalities  all modalities of the data set
 * @throws {ConfigError} naming the key, when a value is out of range, an encoder does not fit its modality, a modality is
 *                       named that the data set lacks, or two have one name
 */
export async function buildModel(
  config: ModelConfigInput | ModelConfig,
  modalities: readonly ModalityInfo[],
  options: BuildOptions = {},
): Promise<Model> {
  const { preset, commonDim, latentDim, head, loss, temperature, ...rest } = validated(config);
  checkModalities(modalities);
  if (preset && rest.modalities) {
    throw new ConfigError("model: preset and modalities exclude each other; remove one.", { path: "model.modalities" });
  }
  const source = preset ? `model.preset "${preset}"` : "model.modalities";
  const wanted =
    (preset ? presets[preset] : rest.modalities) ?? Object.fromEntries(modalities.map(({ name }) => [name, {}]));
  const chosen: GmcModality[] = [];
  for (const [info, settings] of matched(wanted, modalities, source)) {
    const path = `model.modalities.${info.name}`;
    const folder = options.folder ?? process.cwd();
    const encoder = settings.encoder ?? defaultEncoder(info.kind);
    const base = await buildTrunk(encoder, info, `${path}.encoder`, folder);
    const jointPath = settings.jointEncoder ? `${path}.jointEncoder` : `${path}.encoder`;
    const joint = await buildTrunk(settings.jointEncoder ?? encoder, info, jointPath, folder);
    chosen.push({ info, base, joint });
  }
  return gmcModel({
    modalities: chosen,
    commonDim,
    headWidths: head.widths,
    latentDim,
    contrastive: { loss, temperature },
  });
}

/** The configuration with its defaults. @throws {ConfigError} naming the first key that is wrong */
function validated(config: ModelConfigInput | ModelConfig): ModelConfig {
  const parsed = ModelConfig.safeParse(config);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const keys = issue?.path ?? [];
  const path = ["model", ...keys].join(".");
  const received = JSON.stringify(keys.reduce<unknown>((value, key) => Object(value)[key], config)) ?? "nothing";
  throw new ConfigError(
    `${path}: ${issue?.message ?? "invalid"}; received ${received}.`,
    { path },
    { cause: parsed.error },
  );
}

/** @throws {ConfigError} when a modality's name is taken twice, reserved or no plain word, or its shape is empty */
function checkModalities(modalities: readonly ModalityInfo[]): void {
  const refuse = (name: string, problem: string): never => {
    throw new ConfigError(`data: the modality "${name}" ${problem}.`, { path: "data", modality: name });
  };
  const names = modalities.map(({ name }) => name);
  if (names.length === 0)
    throw new ConfigError("data: expected one modality or more, received none.", { path: "data" });
  for (const [i, { name, shape }] of modalities.entries()) {
    if (names.indexOf(name) !== i) refuse(name, `comes twice; the data set has ${names.join(", ")}`);
    if (RESERVED.includes(name)) refuse(name, "has the name of a part of the model; rename it");
    if (!/^\w[\w-]*$/.test(name)) refuse(name, "needs a name of letters, digits, _ and - only");
    if (shape.length === 0 || !shape.every((length) => Number.isInteger(length) && length > 0)) {
      refuse(name, `needs a shape of positive lengths, received [${shape}]`);
    }
  }
}

/** The data set's modality for every wanted name, in the wanted order. @throws {ConfigError} naming both lists when one is missing */
function matched(
  wanted: Readonly<Record<string, ModalityConfig>>,
  modalities: readonly ModalityInfo[],
  source: string,
): [ModalityInfo, ModalityConfig][] {
  const names = Object.keys(wanted);
  if (names.length === 0)
    throw new ConfigError(`${source}: expected one modality or more, received none.`, { path: "model.modalities" });
  return names.map((name) => {
    const info = modalities.find((modality) => modality.name === name);
    if (!info) {
      const known = modalities.map((modality) => modality.name);
      throw new ConfigError(
        `${source} names the modality "${name}", which the data set lacks: the model wants ${names.join(", ")}; the data set has ${known.join(", ")}.`,
        { path: source.startsWith("model.preset") ? "model.preset" : `model.modalities.${name}`, wanted: names, known },
      );
    }
    return [info, wanted[name] ?? {}];
  });
}
