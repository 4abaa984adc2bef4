import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { expectBits } from "../describe-collective.testing.ts";
import { concat, ownBlocks, ownSums, treeReference, vector } from "../reference.testing.ts";
import { openLocalHub } from "./local-hub.ts";
import { joinLocal } from "./local-member.ts";
import type { LocalSeat } from "./local-messages.ts";

interface StepMessage {
  readonly step: number;
  readonly z: Float32Array;
  readonly g: Float32Array;
}
const STEPS = 3;

function startThread(seat: LocalSeat): { readonly worker: Worker; readonly results: Promise<readonly StepMessage[]> } {
  const entry = new URL("./local-thread.testing.ts", import.meta.url).href;
  const code = `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(entry)}); })`;
  const worker = new Worker(code, {
    eval: true,
    workerData: { seat, steps: STEPS },
    transferList: [seat.port],
    execArgv: ["--conditions=@gmc/source"],
  });
  const results = new Promise<readonly StepMessage[]>((resolve, reject) => {
    const seen: StepMessage[] = [];
    worker.on("message", (message: StepMessage) => {
      seen.push(message);
      if (seen.length === STEPS) resolve(seen);
    });
    worker.on("error", reject);
  });
  return { worker, results };
}

test("members on threads of their own get the bits of the tree, and a thread that ends is missed at once", async () => {
  const hub = openLocalHub([[0], [2], [1]], { wire: "bf16", timeoutMs: 25_000 });
  onTestFinished(() => hub.close());
  const [first, second, mine] = hub.seats as [LocalSeat, LocalSeat, LocalSeat];
  const threads = [startThread(first), startThread(second)];
  onTestFinished(async () => {
    for (const { worker } of threads) await worker.terminate();
  });
  const member = joinLocal(mine);
  const vectors = [0, 1, 2].map((v) => vector(v, 100_003, 0));
  for (let step = 0; step < STEPS; step++) {
    expectBits(await member.gather(`${step}/z`, ownBlocks(member, vectors)), concat(vectors));
    const sum = await member.reduce(`${step}/g`, ownSums(member, vectors, "bf16"));
    expectBits(sum, treeReference(vectors, 0, 3, "bf16"));
  }
  for (const { results } of threads) {
    for (const { z, g } of await results) {
      expectBits(z, concat(vectors));
      expectBits(g, treeReference(vectors, 0, 3, "bf16"));
    }
  }

  const lost = { code: "ERR_PEER_LOST", details: { rank: 1 } };
  const waiting = expect(member.reduce("9/g", ownSums(member, vectors, "bf16"))).rejects.toMatchObject(lost);
  await threads[1]?.worker.terminate();
  await waiting;
  await expect(member.gather("9/z", ownBlocks(member, vectors))).rejects.toMatchObject(lost);
});
