import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Task } from "./run-tasks.ts";
import { loneTasks, runTasks } from "./run-tasks.ts";

/** A head, two that need it, a tail that needs those. */
const DIAMOND = [[], [0], [0], [1, 2]];

/** Tasks of some milliseconds that note what happens, and how many ran beside each other. */
function watched(afters: readonly (readonly number[])[], failing?: number) {
  const events: string[] = [];
  let [running, most] = [0, 0];
  const tasks = afters.map(
    (after, number): Task => ({
      after,
      async run() {
        most = Math.max(most, ++running);
        events.push(`start ${number}`);
        await wait(afters.length - number); // later ones are faster
        running--;
        if (number === failing) throw new Error(`task ${number}`);
        events.push(`end ${number}`);
      },
    }),
  );
  return { tasks, events, most: () => most, running: () => running };
}

test("one at a time, tasks run in their order", async () => {
  const { tasks, events } = watched(DIAMOND);
  await runTasks(tasks, 1);
  expect(events).toEqual([0, 1, 2, 3].flatMap((number) => [`start ${number}`, `end ${number}`]));
});

test("two at a time, those run beside each other that do not need each other; ends are told in order", async () => {
  const { tasks, events, most } = watched(DIAMOND);
  const told: string[] = [];
  await runTasks(tasks, 2, (number) => told.push(`${number} ${events.includes(`end ${number}`)}`));
  expect(most()).toBe(2);
  expect(events.slice(2, 4)).toEqual(["start 1", "start 2"]);
  expect(events.indexOf("start 3")).toBe(6);
  expect(told).toEqual(["0 true", "1 true", "2 true", "3 true"]);
});

test("of the tasks that wait, the one of the smallest number is next", async () => {
  const { tasks, events } = watched([[], [0], [], []]);
  await runTasks(tasks, 1);
  expect(events.filter((event) => event.startsWith("start"))).toEqual(["start 0", "start 1", "start 2", "start 3"]);
});

test("never more at a time than allowed", async () => {
  const { tasks, events, most } = watched([[], [], [], [], []]);
  await runTasks(tasks, 3);
  expect(most()).toBe(3);
  expect(events).toHaveLength(10);
});

test("after an error nothing is running, and what needs the failed task has not run", async () => {
  const { tasks, events, running } = watched(DIAMOND, 1);
  await expect(runTasks(tasks, 2)).rejects.toThrow("task 1");
  expect(running()).toBe(0);
  expect(events).toContain("end 2");
  expect(events).not.toContain("start 3");
});

test("a task is alone where all others come before or after it", () => {
  const lone = (afters: readonly (readonly number[])[]) => [...loneTasks(afters.map((after) => ({ after })))];
  expect(lone(DIAMOND)).toEqual([0, 3]);
  expect(lone([[], [0], [1]])).toEqual([0, 1, 2]);
  expect(lone([[], []])).toEqual([]);
});
