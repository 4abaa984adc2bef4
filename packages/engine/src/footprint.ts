import type { Model } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { traceTraining } from "./model-graph.ts";
import type { TensorSpec } from "./onnx/emit.ts";

/** Memory that a compiled training step takes beside the model's state; estimates. */
export interface TrainingFootprint {
  /** Bytes that one shard's forward keeps for its backward. */
  readonly savedBytes: number;
  /** Bytes of the compiled programs: their constants and instructions. */
  readonly programBytes: number;
}

/** What training shards of `rows` rows takes, by tracing the model; nothing is compiled. @throws {TraceError} */
export function trainingFootprint(model: Model, rows: number): TrainingFootprint {
  const { forward, backward } = traceTraining(model, rows);
  return {
    savedBytes: forward.outputs.reduce((sum, output) => sum + bytesOf(output), 0),
    programBytes: forward.bytes.byteLength + (backward?.bytes.byteLength ?? 0),
  };
}

const bytesOf = ({ shape, dtype }: TensorSpec): number => sizeOf(shape) * (dtype === "int64" ? 8 : 4);
