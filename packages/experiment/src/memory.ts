import type { Model } from "@gmc/core";
import { sizeOf, tensorLayout } from "@gmc/core";
import { replicasFor, trainingFootprint } from "@gmc/engine";
import type { RunConfig } from "./run-config.ts";

/** What a training run will need of the machine's memory, about. */
export interface MemoryEstimate {
  readonly bytes: number;
  readonly parts: readonly { readonly what: string; readonly bytes: number }[];
}

/** Node with onnxruntime loaded, before any model. */
const PROCESS_BYTES = 250e6;
/**
 * A step's temporaries as a multiple of the saved activations of the shards under way, and copies of what is saved. Fitted to the
 * resident memory of the preset mhd at B = 64, B = 256 and B = 256 with 4 shards, and of a small model at B = 64 and 512:
 * estimates were 0.90 to 1.09 of what was measured.
 */
const TEMPORARIES = 7;
const SAVED_COPIES = 2;
/** Parameters, two moments and gradient in the replica; the first state and a checkpoint's copy beside them. */
const STATE_BLOCKS = 10;

/**
 * Resident memory of training, from the traced model: nothing is compiled or run. It grows with the rows of a shard
 * (temporaries) and with the batch (saved activations); the data set's size does not matter.
 */
export function estimateRunMemory({ training, data, engine }: RunConfig, model: Model): MemoryEstimate {
  const { batchSize, shards } = training;
  const rows = batchSize / shards;
  const replicas = replicasFor(engine, shards);
  const { savedBytes, programBytes } = trainingFootprint(model, rows);
  const stateBytes = 4 * tensorLayout(model.parameters).length;
  const sampleBytes = model.inputs(1, "train").reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  const parts = [
    { what: "Node and onnxruntime", bytes: PROCESS_BYTES },
    { what: "weights, moments, gradients", bytes: (STATE_BLOCKS + Math.log2(shards) + replicas - 1) * stateBytes },
    {
      what: `activations of ${shards} ${shards === 1 ? "shard" : "shards"}`,
      bytes: SAVED_COPIES * shards * savedBytes,
    },
    { what: "temporaries of a step", bytes: replicas * TEMPORARIES * savedBytes + programBytes },
    { what: "batches held ready", bytes: (data.prefetch + 2) * batchSize * sampleBytes },
  ].map(({ what, bytes }) => ({ what, bytes: Math.round(bytes) }));
  return { bytes: parts.reduce((sum, part) => sum + part.bytes, 0), parts };
}
