import type { Model } from "@gmc/core";
import { sizeOf } from "@gmc/core";
import { traceTraining } from "./model-graph.ts";
import type { TensorSpec } from "./onnx/emit.ts";
import { isGradient } from "./tensor-names.ts";

/** Memory that a compiled training step takes beside the model's state; estimates. */
export interface TrainingFootprint {
  /** Bytes that one shard keeps from its forward to the end of its backward. */
  readonly savedBytes: number;
  /** Bytes of the compiled programs: their constants and instructions. */
  readonly programBytes: number;
}

/** What training shards of `rows` rows takes, by tracing the model; nothing is compiled. @throws {TraceError} */
export function trainingFootprint(model: Model, rows: number): TrainingFootprint {
  const { forward, backward } = traceTraining(model, rows);
  const programs = [...forward, ...backward].map(({ program }) => program);
  const kept = programs.flatMap(({ outputs }) => outputs).filter(({ name }) => !isGradient(name));
  return {
    savedBytes: kept.reduce((sum, output) => sum + bytesOf(output), 0),
    programBytes: programs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
  };
}

const bytesOf = ({ shape, dtype }: TensorSpec): number => sizeOf(shape) * (dtype === "int64" ? 8 : 4);
