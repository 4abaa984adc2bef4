import { workerData } from "node:worker_threads";
import { type EncodedError, encodeError } from "@gmc/core";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type AssembledBatch, Assembler, type AssemblyPlan } from "./assembler.ts";

/** What comes back from the thread. */
export type AssemblyResult = { readonly batch: AssembledBatch } | { readonly error: EncodedError };

let assembler: Assembler | undefined;

/** Thread entry: the batch of one global step, its arrays moved, not copied. The plan came once, as the thread's data. */
export default async function assembleStep(step: number): Promise<AssemblyResult> {
  try {
    assembler ??= new Assembler(workerData as AssemblyPlan);
    return moved({ batch: await assembler.assemble(step) });
  } catch (error) {
    return { error: encodeError(error) };
  }
}

function moved(result: { readonly batch: AssembledBatch }): AssemblyResult {
  const buffers = Object.values(result.batch.values).map((values) => values.buffer);
  return move({ [transferableSymbol]: buffers, [valueSymbol]: result }) as unknown as AssemblyResult;
}
