import type { BufferSpec, ParameterSpec, Tensors } from "@gmc/core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";

/** What a block of layers reads and reports, under the names it gave them itself. */
export interface Scope {
  /** True: batch norm uses the batch's statistics and reports them. False: it uses the buffers. */
  readonly training: boolean;
  parameter(name: string): Tensor;
  buffer(name: string): Tensor;
  /** Hands over this shard's value of a buffer, in its shape. */
  report(name: string, statistic: Tensor): void;
}

/** A parameter under the name its block gave it. */
export type BlockParameter = Omit<ParameterSpec, "part">;

/** Turns a modality's samples into features: a base encoder without its projection, or the joint encoder's share of it. */
export interface Trunk {
  readonly parameters: readonly BlockParameter[];
  readonly buffers: readonly BufferSpec[];
  /** Features a sample. */
  readonly width: number;
  /** [b, …the modality's shape] → [b, width], in plain tfjs ops. */
  apply(x: Tensor, scope: Scope): Tensor2D;
}

/** The tensors whose names start with `prefix` and a dot. @param statistics receives what is reported; absent: evaluation */
export function openScope(
  prefix: string,
  parameters: Tensors,
  buffers: Tensors,
  statistics?: Record<string, Tensor>,
): Scope {
  const full = (name: string): string => `${prefix}.${name}`;
  return {
    training: statistics !== undefined,
    parameter: (name) => tensorNamed(parameters, full(name), "parameter"),
    buffer: (name) => tensorNamed(buffers, full(name), "buffer"),
    report(name, statistic) {
      if (statistics) statistics[full(name)] = statistic;
    },
  };
}

/** The tensor of that name. @throws {RangeError} naming what there is, when there is none */
export function tensorNamed(tensors: Tensors, name: string, what: string): Tensor {
  const tensor = tensors[name];
  if (!tensor)
    throw new RangeError(`Expected a ${what} "${name}", received ${Object.keys(tensors).join(", ") || "none"}.`);
  return tensor;
}

/** The specs with `prefix` and a dot before their names. */
export const prefixed = <S extends { readonly name: string }>(prefix: string, specs: readonly S[]): S[] =>
  specs.map((spec) => ({ ...spec, name: `${prefix}.${spec.name}` }));
