import { Worker } from "node:worker_threads";
import { EnvironmentError } from "@gmc/core";
import { expect, test } from "vitest";
import type { LaneData } from "./lane-data.ts";
import { Lanes } from "./lanes.ts";

const NOWHERE = {
  session: 0n,
  inputNames: 0n,
  inputs: 0n,
  inputCount: 0,
  outputNames: 0n,
  outputs: 0n,
  outputCount: 0,
};

/** A thread that takes every task and does nothing for it. */
const idleLane = (options: ConstructorParameters<typeof Worker>[1]) =>
  new Worker(
    `const { workerData: { boardUrl, memory, port }, receiveMessageOnPort } = require("node:worker_threads");
     const sent = () => receiveMessageOnPort(port)?.message;
     import("tsx/esm/api").then(({ register }) => register()).then(() => import(boardUrl)).then(({ Board }) => {
       const board = new Board(memory);
       const plans = new Map();
       const planOf = (id) => {
         for (let plan = sent(); plan; plan = sent()) plans.set(plan.id, plan);
         return plans.get(id);
       };
       for (;;) {
         const seen = board.changes;
         const claim = board.take(planOf);
         if (claim) board.finish(claim.plan, claim.task, claim.plan.calls[claim.task].inputCount > 0);
         else if (board.closed) break;
         else board.sleep(seen);
       }
       port.close();
     });`,
    {
      ...options,
      eval: true,
      execArgv: ["--conditions=@gmc/source"],
      workerData: { ...(options?.workerData as LaneData), boardUrl: new URL("./board.ts", import.meta.url).href },
    },
  );

test("threads that cannot start are an error that says so, not a wait for ever; so is what comes after", async () => {
  const lanes = new Lanes(2, (options) => new Worker('throw new Error("no such library")', { ...options, eval: true }));
  const plan = lanes.plan([{ call: NOWHERE, after: [] }], [0]);
  const failure = lanes.run(plan, [0]);
  await expect(failure).rejects.toThrow(EnvironmentError);
  await expect(failure).rejects.toMatchObject({ cause: { message: "no such library" } });
  await expect(lanes.run(plan, [0])).rejects.toThrow(EnvironmentError);
  await lanes.close();
});

test("one thread that ends does not end a run", async () => {
  let count = 0;
  const lanes = new Lanes(2, (options) =>
    count++ === 0 ? new Worker("", { ...options, eval: true }) : idleLane(options),
  );
  const plan = lanes.plan(
    [
      { call: NOWHERE, after: [] },
      { call: NOWHERE, after: [0] },
    ],
    [0, 1],
  );
  await lanes.run(plan, [0, 1]);
  await lanes.close();
});

test("closing waits for what is under way, and for what waits for its turn", async () => {
  const lanes = new Lanes(1, idleLane);
  const plans = [1, 2, 3].map(() => lanes.plan([{ call: NOWHERE, after: [] }], [0]));
  const ended: number[] = [];
  const runs = plans.map((plan, i) => lanes.run(plan, [0]).then(() => ended.push(i)));
  await lanes.close();
  expect(ended).toEqual([0, 1, 2]);
  await Promise.all(runs);
  await expect(lanes.run(plans[0]!, [0])).rejects.toThrow(/after close/);
});

test("a plan that failed does not keep others from running", async () => {
  const lanes = new Lanes(1, idleLane);
  const failing = lanes.plan([{ call: { ...NOWHERE, inputCount: 1 }, after: [] }], [0]);
  const sound = lanes.plan([{ call: NOWHERE, after: [] }], [0]);
  const results = await Promise.allSettled([lanes.run(failing, [0]), lanes.run(sound, [0]), lanes.run(sound, [0])]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  await lanes.close();
});
