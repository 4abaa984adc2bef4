import { sizeOf } from "@gmc/core";
import { flatten } from "../layers.ts";
import type { ModalityInfo } from "../modality.ts";
import type { Trunk } from "../scope.ts";

/** The sample itself, flattened: what is linear is the projection behind the trunk. */
export const linearTrunk = ({ shape }: ModalityInfo): Trunk => ({
  parameters: [],
  buffers: [],
  width: sizeOf(shape),
  apply: (x) => flatten(x),
});
