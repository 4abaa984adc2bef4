import type { Model } from "@gmc/core";
import { partRanges, tensorLayout } from "@gmc/core";

/** Trained values of a model, part by part. */
export interface ParameterTable {
  readonly parts: readonly { readonly part: string; readonly parameters: number }[];
  readonly total: number;
}

/** How many values each part trains, in flat order, and all together; buffers are not counted. */
export function parameterTable(model: Model): ParameterTable {
  const parts = [...partRanges(model.parameters)].map(([part, { start, end }]) => ({ part, parameters: end - start }));
  return { parts, total: tensorLayout(model.parameters).length };
}
