import { dirname, resolve } from "node:path";
import { ClusterConfig } from "@gmc/collectives";
import { sha256OfJson } from "@gmc/core";
import { DataConfig } from "@gmc/data";
import { EngineConfig } from "@gmc/engine";
import { EvaluationConfig } from "@gmc/evaluation";
import type { EncoderConfig } from "@gmc/models";
import { ModelConfig } from "@gmc/models";
import { checkTrainingConfig, TrainingConfig } from "@gmc/trainer";
import { stringify } from "yaml";
import { z } from "zod";
import { deepFreeze } from "./deep-freeze.ts";
import type { NameOverride, Override } from "./overrides.ts";
import { parseConfig } from "./parse-config.ts";
import type { ConfigField } from "./schema-fields.ts";
import { configFields } from "./schema-fields.ts";

/** Everything a run depends on beside the data's content: the packages' sections composed. */
export const RunConfig = z
  .strictObject({
    name: z.string().min(1).optional().describe("What the run is called in reports; the default folder's name."),
    seed: z
      .int()
      .min(0)
      .default(0)
      .describe("Seed of everything random: first weights, order of samples, masks, held-out samples."),
    data: DataConfig.prefault({} as never), // so that a missing path is named by itself
    model: ModelConfig.prefault({}),
    engine: EngineConfig.prefault({}),
    training: TrainingConfig.prefault({}),
    cluster: ClusterConfig.prefault({}),
    evaluation: EvaluationConfig.prefault({}),
  })
  .readonly();
export type RunConfig = z.output<typeof RunConfig>;
/** As a user writes it: what has a default may be absent. */
export type RunConfigInput = z.input<typeof RunConfig>;

/** Where a config's text came from. */
export interface RunConfigOrigin {
  /** The file it was read from: messages name it, and a module's relative path starts at its folder. */
  readonly file?: string;
  /** What messages call an override; default: its flag. */
  readonly nameOverride?: NameOverride;
}

/**
 * The effective config, frozen: defaults filled in, overrides applied in order.
 *
 * @param content    YAML text, or the same as an object; a relative `data.path` starts at the working folder
 * @param overrides  dotted paths with values; text is read by YAML's rules ("128", "1e-3", "[image, sound]")
 * @throws {ConfigError} naming the path, what was expected, what came, the line or flag, and for an unknown key the nearest known one
 */
export function parseRunConfig(
  content: string | RunConfigInput,
  overrides: readonly Override[] = [],
  { file, nameOverride }: RunConfigOrigin = {},
): RunConfig {
  const origin = { ...(file !== undefined && { name: file }), ...(nameOverride && { nameOverride }) };
  const config = parseConfig(RunConfig, { content, overrides, ...origin });
  checkTrainingConfig(config.training);
  return file === undefined ? config : withAbsoluteModules(config, dirname(file));
}

/** Every value a config can hold, for `--help` and documentation. */
export const runConfigFields = (): readonly ConfigField[] => configFields(RunConfig);

/** The effective config as YAML; `parseRunConfig` gives it back. */
export const formatRunConfig = (config: RunConfig): string =>
  stringify(config, { lineWidth: 0, flowCollectionPadding: false });

/** sha256 (hex) of the config's canonical JSON. */
export const configSha256 = (config: RunConfig): string => sha256OfJson(config);

/** Paths of users' encoder modules made absolute: the copy in the run folder must find them too. */
function withAbsoluteModules(config: RunConfig, folder: string): RunConfig {
  const { modalities } = config.model;
  if (!modalities) return config;
  const absolute = (encoder: EncoderConfig): EncoderConfig =>
    encoder.kind === "module" ? { ...encoder, path: resolve(folder, encoder.path) } : encoder;
  const moved = Object.entries(modalities).map(([name, { encoder, jointEncoder }]) => [
    name,
    { ...(encoder && { encoder: absolute(encoder) }), ...(jointEncoder && { jointEncoder: absolute(jointEncoder) }) },
  ]);
  return deepFreeze({ ...config, model: { ...config.model, modalities: Object.fromEntries(moved) } });
}
