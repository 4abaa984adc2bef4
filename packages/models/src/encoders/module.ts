import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { batchNorm, batchNormBuffers, batchNormParameters } from "../batch-norm.ts";
import type { EncoderConfig } from "../config.ts";
import { convParameters, dense, denseParameters, flatten, swish } from "../layers.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Trunk } from "../scope.ts";

/** Building blocks a user's trunk may use, so that it imports nothing of ours. */
const layers = {
  batchNorm,
  batchNormBuffers,
  batchNormParameters,
  convParameters,
  dense,
  denseParameters,
  flatten,
  swish,
} as const;

/** What a user's module is called with. */
export interface TrunkModuleArguments {
  readonly modality: ModalityInfo;
  readonly options: Readonly<Record<string, unknown>>;
  /** The one tfjs-core of this process: a second copy's tensors would be foreign to the engine. */
  readonly tf: typeof tf;
  readonly layers: typeof layers;
}

/** The export a user's module must have. */
export type CreateTrunk = (args: TrunkModuleArguments) => Trunk | Promise<Trunk>;

/**
 * The trunk that a user's ES module builds. The module is called once for the base and once for the joint encoder.
 *
 * @param folder  where a relative path starts
 * @throws {ConfigError} when the module cannot be loaded, lacks `createTrunk`, or what that returns is no trunk
 */
export async function moduleTrunk(
  config: Extract<EncoderConfig, { kind: "module" }>,
  modality: ModalityInfo,
  path: string,
  folder: string,
): Promise<Trunk> {
  const file = resolve(folder, config.path);
  const refuse = (problem: string, options?: ErrorOptions): never => {
    throw new ConfigError(`${path}: ${problem}`, { path, modality: modality.name, file }, options);
  };
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await import(/* @vite-ignore */ pathToFileURL(file).href);
  } catch (cause) {
    return refuse(`cannot load the module ${file}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const { createTrunk } = exported;
  if (typeof createTrunk !== "function") {
    const names = Object.keys(exported).join(", ") || "nothing";
    return refuse(`expected the module ${file} to export a function createTrunk, it exports ${names}.`);
  }
  let trunk: unknown;
  try {
    trunk = await (createTrunk as CreateTrunk)({ modality, options: config.options, tf, layers });
  } catch (cause) {
    return refuse(`createTrunk of ${file} failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return checkedTrunk(trunk, (problem) => refuse(`createTrunk of ${file} returned ${problem}`));
}

/** The trunk, completed and checked field by field; its features' width is checked on every call. */
function checkedTrunk(value: unknown, refuse: (problem: string) => never): Trunk {
  if (typeof value !== "object" || value === null)
    return refuse(`${value === null ? "null" : typeof value}, not a trunk.`);
  const { parameters = [], buffers = [], width, apply } = value as Partial<Trunk>;
  if (!Array.isArray(parameters) || !parameters.every((p) => isNamedShape(p) && isInitialiser(p.initialiser))) {
    return refuse("`parameters` that are no list of { name, shape, initialiser }.");
  }
  if (
    !Array.isArray(buffers) ||
    !buffers.every((b) => isNamedShape(b) && isNumber(b.initial) && isNumber(b.momentum))
  ) {
    return refuse("`buffers` that are no list of { name, shape, initial, momentum }.");
  }
  const names = [...parameters, ...buffers].map((spec: { name: string }) => spec.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return refuse(`two tensors named "${twice}".`);
  if (!Number.isInteger(width) || (width ?? 0) < 1)
    return refuse(`\`width\` ${String(width)}, not a positive integer.`);
  if (typeof apply !== "function") return refuse("no function `apply(x, scope)`.");
  const features = width ?? 0;
  return {
    parameters,
    buffers,
    width: features,
    apply(x, scope) {
      const y = apply.call(value, x, scope);
      if (y.shape.length !== 2 || y.shape[0] !== x.shape[0] || y.shape[1] !== features) {
        return refuse(`features of shape [${y.shape}] where its width promises [${x.shape[0]},${features}].`);
      }
      return y;
    },
  };
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** True for an object with a name and a shape of positive lengths. */
function isNamedShape(value: unknown): value is { name: string; shape: number[]; [field: string]: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const { name, shape } = value as { name?: unknown; shape?: unknown };
  return (
    typeof name === "string" && name !== "" && Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n > 0)
  );
}

/** True for `{ kind: "uniform", bound }` and `{ kind: "constant", value }`. */
function isInitialiser(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, bound, value: constant } = value as { kind?: unknown; bound?: unknown; value?: unknown };
  return (kind === "uniform" && isNumber(bound)) || (kind === "constant" && isNumber(constant));
}
