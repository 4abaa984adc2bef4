import type { ParameterTable } from "@gmc/models";
import { grouped, textTable } from "./text-table.ts";

/** The model's trained numbers, part by part. */
export const parameterText = ({ parts, total }: ParameterTable): string =>
  textTable([
    ["part", "parameters"],
    ...parts.map(({ part, parameters }) => [part, grouped(parameters)]),
    ["together", grouped(total)],
  ]);
