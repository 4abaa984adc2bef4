import { parentPort, workerData } from "node:worker_threads";
import { ownBlocks, ownSums, vector } from "../reference.testing.ts";
import { joinLocal } from "./local-member.ts";
import type { LocalSeat } from "./local-messages.ts";

/** A thread that takes part in two calls with everybody and then, if it is told to, is never heard of again. */
const { seat, steps } = workerData as { readonly seat: LocalSeat; readonly steps: number };
const member = joinLocal(seat);
const vectors = [0, 1, 2].map((v) => vector(v, 100_003, 0));
for (let step = 0; step < steps; step++) {
  const z = await member.gather(`${step}/z`, ownBlocks(member, vectors));
  const g = await member.reduce(`${step}/g`, ownSums(member, vectors, "bf16"));
  await member.release(`${step}`);
  parentPort?.postMessage({ step, z, g });
}
await new Promise(() => setInterval(() => {}, 1000));
