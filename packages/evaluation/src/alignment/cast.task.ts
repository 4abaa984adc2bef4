import { workerData } from "node:worker_threads";
import { type EncodedError, encodeError, type Range } from "@gmc/core";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type CastRows, RayCaster } from "./ray-caster.ts";
import type { RayPlan } from "./ray-plan.ts";

/** What comes back from the thread; no rows when the work was cancelled. */
export type CastResult = { readonly rows: CastRows | undefined } | { readonly error: EncodedError };

let caster: RayCaster | undefined;

/** Thread entry: casts all lines through a range of sites. The plan came once, as the thread's data. */
export default function castTask(sites: Range): CastResult {
  try {
    caster ??= new RayCaster(workerData as RayPlan);
    const work = caster.cast(sites);
    let turn = work.next();
    while (!turn.done) turn = work.next();
    return turn.value ? moved(turn.value) : { rows: undefined };
  } catch (error) {
    return { error: encodeError(error) };
  }
}

function moved(rows: CastRows): CastResult {
  const buffers = [rows.bits.buffer, ...(rows.hits ? [rows.hits.buffer] : [])];
  return move({ [transferableSymbol]: buffers, [valueSymbol]: { rows } }) as unknown as CastResult;
}
