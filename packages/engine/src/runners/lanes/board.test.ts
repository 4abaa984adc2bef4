import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { BoardPlan } from "./board.ts";
import { Board, hasFailed, isDone, openBoardMemory, openStates } from "./board.ts";

const plan = (id: number, after: readonly (readonly number[])[], order = [...after.keys()]): BoardPlan => ({
  id,
  order,
  after,
  states: openStates(after.length),
});
/** A head, two that need it, a tail that needs those. */
const DIAMOND = [[], [0], [0], [1, 2]];

function boardOf(...plans: BoardPlan[]) {
  const board = new Board(openBoardMemory(plans.length));
  const planOf = (id: number) => plans.find((one) => one.id === id)!;
  for (const one of plans) board.open(one, false);
  return { board, take: () => board.take(planOf) };
}

test("tasks are taken as they depend on each other, the most urgent first", () => {
  const diamond = plan(1, DIAMOND, [0, 2, 1, 3]);
  const { board, take } = boardOf(diamond);
  expect(take()).toEqual({ plan: diamond, task: 0, more: false });
  expect(take()).toBeUndefined();
  board.finish(diamond, 0);
  expect(take()).toMatchObject({ task: 2, more: true });
  expect(take()).toMatchObject({ task: 1, more: false });
  board.finish(diamond, 1);
  expect(take()).toBeUndefined();
  board.finish(diamond, 2);
  expect(take()).toMatchObject({ task: 3 });
  expect(board.removeIfOver(diamond)).toBe(false);
  board.finish(diamond, 3);
  expect(board.removeIfOver(diamond)).toBe(true);
  expect(take()).toBeUndefined();
});

test("a run that was opened earlier goes first; a free lane helps with the next", () => {
  const [first, second] = [plan(7, [[], [0]]), plan(3, [[]])];
  const { board, take } = boardOf(first, second);
  expect(take()).toMatchObject({ plan: first, task: 0, more: true });
  expect(take()).toMatchObject({ plan: second, task: 0, more: false });
  board.finish(first, 0);
  board.finish(second, 0);
  expect(board.removeIfOver(second)).toBe(true);
  board.open(second, false);
  expect(take()).toMatchObject({ plan: first, task: 1, more: true });
});

test("after a failure no other task of that run is taken, and it is over when none is running", () => {
  const [broken, other] = [plan(1, [[], [], [1]]), plan(2, [[]])];
  const { board, take } = boardOf(broken, other);
  take();
  take();
  board.finish(broken, 0, true);
  expect(hasFailed(broken.states)).toBe(true);
  expect(board.removeIfOver(broken)).toBe(false); // task 1 is running
  expect(take()).toMatchObject({ plan: other });
  board.finish(broken, 1);
  expect(isDone(broken.states, 1)).toBe(true);
  expect(board.removeIfOver(broken)).toBe(true);
});

test("a run can be opened again and starts anew", () => {
  const once = plan(1, [[]]);
  const { board, take } = boardOf(once);
  take();
  board.finish(once, 0, true);
  expect(board.removeIfOver(once)).toBe(true);
  board.open(once, false);
  expect(hasFailed(once.states)).toBe(false);
  expect(take()).toMatchObject({ task: 0 });
});

test("news is the end of a run, and every task of one that tells", () => {
  const [quiet, telling] = [plan(1, [[], []]), plan(2, [[], []])];
  const board = new Board(openBoardMemory(2));
  const planOf = (id: number) => (id === 1 ? quiet : telling);
  for (const [one, tells, heard] of [
    [quiet, false, [0, 1]],
    [telling, true, [1, 2]],
  ] as const) {
    board.open(one, tells);
    const before = board.news;
    for (const expected of heard) {
      const claim = board.take(planOf)!;
      board.finish(one, claim.task);
      expect(board.news - before).toBe(expected);
    }
    board.removeIfOver(one);
  }
});

test("more runs than places are refused", () => {
  const { board } = boardOf(plan(1, [[]]));
  expect(() => board.open(plan(2, [[]]), false)).toThrow(RangeError);
});

test("who waits for news is woken by another thread's, and a lane that sleeps by a new run and by the end", async () => {
  const memory = openBoardMemory(1);
  const board = new Board(memory);
  const words = new Int32Array(memory);
  const seen = board.news;
  const sleeper = new Worker(
    `const { workerData: words, parentPort } = require("node:worker_threads");
     parentPort.postMessage("sleeps");
     Atomics.wait(words, 1, 0); // the count of changes
     Atomics.add(words, 2, 1); // the count of news
     Atomics.notify(words, 2);`,
    { eval: true, workerData: words },
  );
  await new Promise((resolve) => sleeper.once("message", resolve));
  const told = board.untilNews(seen);
  board.open(plan(1, [[]]), false);
  await told;
  expect(board.news).toBe(seen + 1);
  expect(board.closed).toBe(false);
  board.close();
  expect(board.closed).toBe(true);
  board.sleep(board.changes - 1); // does not wait: something changed since
});
