import type { MessagePort, Worker, WorkerOptions } from "node:worker_threads";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { EnvironmentError } from "@gmc/core";
import { startThread } from "../../thread-entry.ts";
import type { BoardPlan } from "./board.ts";
import { Board, hasFailed, isDone, openBoardMemory, openStates } from "./board.ts";
import type { LaneData, LaneFailure, LaneMessage, LanePlan, NativeCall } from "./lane-data.ts";

/** What a plan is made of. */
export interface PlannedCall {
  readonly call: NativeCall;
  /** Numbers of the calls before it. */
  readonly after: readonly number[];
}

/** A plan's run that is under way. */
interface OpenRun {
  readonly plan: LanePlan;
  /** Tasks in the order in which their ends are told. */
  readonly toldOrder: readonly number[];
  readonly onDone: ((task: number) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  told: number;
  /** By `onDone`. */
  thrown?: { readonly error: unknown };
}

/**
 * Threads that run programs of onnxruntime side by side and wake each other, without the event loop between two programs
 * (docs/0008-lanes.md). They start with the first run, and do not keep the process alive while nothing runs.
 */
export class Lanes {
  /** Threads. */
  readonly count: number;
  readonly #startThread: (options: WorkerOptions) => Worker;
  readonly #memory: SharedArrayBuffer;
  readonly #board: Board;
  readonly #open = new Map<number, OpenRun>();
  /** Runs that wait for a place on the board. */
  readonly #waiting: OpenRun[] = [];
  readonly #lanes: { readonly thread: Worker; readonly port: MessagePort; readonly ended: Promise<void> }[] = [];
  readonly #plans = new Map<number, LanePlan>();
  readonly #running = new Set<Promise<void>>();
  #nextPlan = 1;
  /** That their runs have not taken yet. */
  #failures: LaneFailure[] = [];
  #watching = false;
  #broken: EnvironmentError | undefined;
  #alive = 0;
  #closing: Promise<void> | undefined;

  /** @param start  how a lane starts */
  constructor(count: number, start: (options: WorkerOptions) => Worker = startLane) {
    this.count = count;
    this.#startThread = start;
    this.#memory = openBoardMemory(count);
    this.#board = new Board(this.#memory);
  }

  /**
   * Calls that run together, taken in `order`, each after those before it. `forget` it before what it points to is freed.
   */
  plan(calls: readonly PlannedCall[], order: readonly number[]): LanePlan {
    const plan: LanePlan = {
      id: this.#nextPlan++,
      order,
      after: calls.map(({ after }) => after),
      states: openStates(calls.length),
      calls: calls.map(({ call }) => call),
    };
    this.#plans.set(plan.id, plan);
    this.#send(plan);
    return plan;
  }

  forget({ id }: BoardPlan): void {
    if (this.#plans.delete(id)) this.#send({ forget: id });
  }

  /**
   * Runs a plan; one run of a plan at a time. As many runs as there are lanes are under way, others wait for their turn.
   *
   * @param toldOrder  all tasks, in the order in which `onDone` hears of them, each as soon as it and those before it are done
   * @throws an error of a call, or of `onDone`; nothing of the plan is running then
   */
  run(plan: LanePlan, toldOrder: readonly number[], onDone?: (task: number) => void): Promise<void> {
    if (this.#closing) return Promise.reject(new TypeError("Lanes: run was called after close()."));
    if (this.#broken) return Promise.reject(this.#broken);
    this.#start();
    const running = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ plan, toldOrder, onDone, resolve, reject, told: 0 });
      this.#admit();
      void this.#watch();
    });
    this.#running.add(running);
    const over = () => this.#running.delete(running);
    running.then(over, over);
    return running;
  }

  /** Ends the threads, once what is under way is over. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.#board.close();
    for (const { thread } of this.#lanes) thread.ref(); // or a process that waits for nothing else ends here
    await Promise.all(this.#lanes.map(({ ended }) => ended));
    for (const { port } of this.#lanes) port.close();
  }

  #start(): void {
    while (this.#lanes.length < this.count) this.#lanes.push(this.#startLane(this.#lanes.length));
  }

  #startLane(lane: number) {
    const { port1: port, port2 } = new MessageChannel();
    const workerData: LaneData = { memory: this.#memory, port: port2, lane };
    const thread = this.#startThread({ workerData, transferList: [port2], name: `gmc lane ${lane}` });
    this.#alive++;
    thread.unref();
    port.unref();
    for (const plan of this.#plans.values()) port.postMessage(plan);
    const ended = new Promise<void>((resolve) => {
      let cause: unknown;
      thread.once("error", (error) => {
        cause = error;
      });
      thread.once("exit", () => {
        this.#lost(cause);
        resolve();
      });
    });
    return { thread, port, ended };
  }

  /** One lane goes on alone; without any, nobody runs what is waiting. */
  #lost(cause: unknown): void {
    this.#alive--;
    if (this.#alive > 0 || this.#closing) return;
    this.#broken = new EnvironmentError("The engine's threads have ended: they could not start.", {}, { cause });
    const lost = [...this.#open.values(), ...this.#waiting.splice(0)];
    this.#open.clear();
    for (const { reject } of lost) reject(this.#broken);
  }

  #send(message: LaneMessage): void {
    for (const { port } of this.#lanes) port.postMessage(message);
  }

  #admit(): void {
    while (this.#open.size < this.count) {
      const run = this.#waiting.shift();
      if (!run) return;
      this.#open.set(run.plan.id, run);
      this.#board.open(run.plan, run.onDone !== undefined);
    }
  }

  /** Hears the lanes' news for as long as anything runs; only then the threads keep the process alive. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    for (const { thread } of this.#lanes) thread.ref();
    while (this.#open.size > 0) {
      const seen = this.#board.news;
      for (const run of this.#open.values()) this.#advance(run);
      if (this.#open.size > 0) await this.#board.untilNews(seen);
    }
    for (const { thread } of this.#lanes) thread.unref();
    this.#watching = false;
  }

  #advance(run: OpenRun): void {
    const over = this.#board.removeIfOver(run.plan); // before its ends are told, or the last ones would not be
    tell(run);
    if (!over) return;
    this.#open.delete(run.plan.id);
    if (hasFailed(run.plan.states)) run.reject(this.#failureOf(run.plan));
    else if (run.thrown) run.reject(run.thrown.error);
    else run.resolve();
    this.#admit();
  }

  #failureOf({ id }: LanePlan): Error {
    for (const { port } of this.#lanes) {
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
        this.#failures.push(next.message);
    }
    const own = this.#failures.filter(({ plan }) => plan === id).sort((a, b) => a.task - b.task);
    this.#failures = this.#failures.filter(({ plan }) => plan !== id);
    return new Error(own[0]?.error ?? "A program failed on a lane.");
  }
}

const startLane = (options: WorkerOptions): Worker => startThread(import.meta.url, "./lane.task", options);

function tell(run: OpenRun): void {
  const { plan, toldOrder, onDone } = run;
  for (let task = toldOrder[run.told]; task !== undefined && isDone(plan.states, task); task = toldOrder[run.told]) {
    run.told++;
    try {
      onDone?.(task);
    } catch (error) {
      run.thrown ??= { error };
    }
  }
}
