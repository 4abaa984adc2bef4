import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { check } from "../ort-call.ts";
import { loadOrtLibrary } from "../ort-library.ts";
import { Board } from "./board.ts";
import type { LaneData, LaneFailure, LaneMessage, LanePlan } from "./lane-data.ts";

// Thread entry: takes tasks off the board and computes them, one after another, until the board is closed. While it computes or sleeps its
// event loop stands still; what it is sent it reads when it needs it.
const { memory, port, lane } = workerData as LaneData;
const { api } = await loadOrtLibrary();
const board = new Board(memory);
const plans = new Map<number, LanePlan>();

/** A plan by its number; it was sent before its run was opened. */
function planOf(id: number): LanePlan {
  for (let known = plans.get(id); ; known = plans.get(id)) {
    if (known) return known;
    const received = receiveMessageOnPort(port)?.message as LaneMessage | undefined;
    if (!received) throw new Error(`Lane ${lane} was not sent plan ${id}.`);
    if ("forget" in received) plans.delete(received.forget);
    else plans.set(received.id, received);
  }
}

function compute({ calls }: LanePlan, task: number): string | undefined {
  try {
    const call = calls[task];
    if (!call) throw new RangeError(`there is no task ${task}`);
    const { session, inputNames, inputs, inputCount, outputNames, outputs, outputCount } = call;
    check(api, api.Run(session, null, inputNames, inputs, inputCount, outputNames, outputCount, outputs));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

for (;;) {
  const seen = board.changes;
  const claim = board.take(planOf);
  if (!claim) {
    if (board.closed) break;
    board.sleep(seen);
    continue;
  }
  const { plan, task, more } = claim;
  if (more) board.wakeLane();
  const error = compute(plan, task);
  if (error !== undefined) port.postMessage({ plan: plan.id, task, error } satisfies LaneFailure); // before the board says so
  board.finish(plan, task, error !== undefined);
}
port.close();
