/**
 * What several threads know about the runs that they share, in shared memory: which run is open, who does what, what is done. Every
 * change happens under one lock, held for microseconds.
 */

/** Where a run's tasks stand: [state of the run…, state of every task…]; `openStates` makes one. */
export type RunStates = Int32Array<SharedArrayBuffer>;

/** A run of tasks as a lane sees it. */
export interface BoardPlan {
  /** From 1. */
  readonly id: number;
  /** Numbers of all tasks, the most urgent first. */
  readonly order: readonly number[];
  /** For every task the numbers of those before it. */
  readonly after: readonly (readonly number[])[];
  readonly states: RunStates;
}

/** A task that a lane took. */
export interface Claim<Plan extends BoardPlan = BoardPlan> {
  readonly plan: Plan;
  readonly task: number;
  /** True when another lane could take one too. */
  readonly more: boolean;
}

// Words of the board.
const LOCK = 0;
/** Counts what may give a lane something to do; lanes sleep on it. */
const CHANGES = 1;
/** Counts what the caller wants to know; it waits on it. */
const NEWS = 2;
const CLOSED = 3;
/** From here on: numbers of the open runs, 0 where there is none. */
const FIRST_RUN = 4;

// Words of a run.
const FAILED = 0;
const RUNNING = 1;
const TELL = 2;
const FIRST_TASK = 3;

// States of a task.
const WAITING = 0;
const TAKEN = 1;
const DONE = 2;
const BROKEN = 3;

/** A lock that is not to be had within this is waited for asleep. */
const SPINS = 200;

/** Shared memory for a board on which `runs` runs may be open. */
export const openBoardMemory = (runs: number): SharedArrayBuffer =>
  new SharedArrayBuffer((FIRST_RUN + runs) * Int32Array.BYTES_PER_ELEMENT);

/** Shared memory for a run of so many tasks. */
export const openStates = (tasks: number): RunStates =>
  new Int32Array(new SharedArrayBuffer((FIRST_TASK + tasks) * Int32Array.BYTES_PER_ELEMENT));

/** See above. Every thread has one, over the same memory. */
export class Board {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  get closed(): boolean {
    return Atomics.load(this.#words, CLOSED) === 1;
  }

  /** Counts up whenever there may be something to take. */
  get changes(): number {
    return Atomics.load(this.#words, CHANGES);
  }

  /** Counts up when a run is over, and with every task of a run that tells. */
  get news(): number {
    return Atomics.load(this.#words, NEWS);
  }

  /**
   * Opens a run and wakes one lane, which wakes the next (docs/0008-lanes.md). Its states must not be in use.
   *
   * @param tell  every task is news, not only the last
   * @throws {RangeError} when all places are taken
   */
  open({ id, states }: BoardPlan, tell: boolean): void {
    this.#locked(() => {
      const free = this.#words.indexOf(0, FIRST_RUN);
      if (free < 0) throw new RangeError("Board: as many runs are open as there are places.");
      states.fill(0);
      states[TELL] = tell ? 1 : 0;
      this.#words[free] = id;
      this.#changed();
    });
    this.wakeLane();
  }

  /** Takes a run off the board if it is over, and says so. */
  removeIfOver({ id, states }: BoardPlan): boolean {
    return this.#locked(() => {
      const place = this.#words.indexOf(id, FIRST_RUN);
      if (place < 0 || !isOver(states)) return false;
      this.#words.copyWithin(place, place + 1); // those opened later move up
      this.#words[this.#words.length - 1] = 0;
      return true;
    });
  }

  /** The most urgent task that can run now, of the run that was opened first where the lane has a choice. */
  take<Plan extends BoardPlan>(planOf: (id: number) => Plan): Claim<Plan> | undefined {
    return this.#locked(() => {
      let taken: { readonly plan: Plan; readonly task: number } | undefined;
      for (const id of this.#words.subarray(FIRST_RUN)) {
        if (id === 0) continue;
        const plan = planOf(id);
        const task = readyTask(plan);
        if (task === undefined) continue;
        if (taken) return { ...taken, more: true };
        setTask(plan, task, TAKEN);
        plan.states[RUNNING] = (plan.states[RUNNING] ?? 0) + 1;
        taken = { plan, task };
        if (readyTask(plan) !== undefined) return { ...taken, more: true };
      }
      return taken && { ...taken, more: false };
    });
  }

  /** Says that a task that was taken is over. After one that failed no other of its run is taken. */
  finish({ states }: BoardPlan, task: number, failed = false): void {
    const isNews = this.#locked(() => {
      states[FIRST_TASK + task] = failed ? BROKEN : DONE;
      states[RUNNING] = (states[RUNNING] ?? 0) - 1;
      if (failed) states[FAILED] = 1;
      this.#changed();
      return states[TELL] === 1 || isOver(states);
    });
    if (!isNews) return;
    Atomics.add(this.#words, NEWS, 1);
    Atomics.notify(this.#words, NEWS);
  }

  /** Wakes a lane that sleeps, if there is one. */
  wakeLane(): void {
    Atomics.notify(this.#words, CHANGES, 1);
  }

  /** Lets a lane sleep until something changed since `seen`. Blocks. */
  sleep(seen: number): void {
    Atomics.wait(this.#words, CHANGES, seen);
  }

  /** Settles when there is news since `seen`. */
  async untilNews(seen: number): Promise<void> {
    await waitAsync(this.#words, NEWS, seen).value;
  }

  /** Lets all lanes end when they have nothing left to do. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
    this.#changed();
    Atomics.notify(this.#words, CHANGES);
  }

  #changed(): void {
    Atomics.add(this.#words, CHANGES, 1);
  }

  #locked<T>(work: () => T): T {
    for (let tries = 0; Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0; tries++) {
      if (tries > SPINS) Atomics.wait(this.#words, LOCK, 1, 1);
    }
    try {
      return work();
    } finally {
      Atomics.store(this.#words, LOCK, 0);
      Atomics.notify(this.#words, LOCK, 1);
    }
  }
}

/** True when a task of the run is done. */
export const isDone = (states: RunStates, task: number): boolean => Atomics.load(states, FIRST_TASK + task) === DONE;

/** True when a task of the run failed. */
export const hasFailed = (states: RunStates): boolean => Atomics.load(states, FAILED) === 1;

/** True when nothing of a run is left to do, or one task failed and no other is running. */
const isOver = (states: RunStates): boolean =>
  states[RUNNING] === 0 && (states[FAILED] === 1 || states.subarray(FIRST_TASK).every((state) => state === DONE));

function readyTask({ order, after, states }: BoardPlan): number | undefined {
  if (states[FAILED] === 1) return undefined;
  const state = (task: number) => states[FIRST_TASK + task];
  return order.find((task) => state(task) === WAITING && after[task]?.every((other) => state(other) === DONE));
}

function setTask({ states }: BoardPlan, task: number, state: number): void {
  states[FIRST_TASK + task] = state;
}

/** Part of ECMAScript 2024, in Node since 16. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): { readonly value: Promise<string> | string };
};
