import type { Pipeline, PipelineTask } from "./runners/runner.ts";

/** A step of a run. */
export interface Task {
  /** Numbers of the tasks that come before it; smaller than its own. */
  readonly after: readonly number[];
  run(): Promise<void>;
}

/**
 * Runs tasks, `atOnce` of them at the same time, each after those before it; of those that could run the first.
 *
 * @param onDone  called with the numbers 0, 1, … in this order, each as soon as its task and those of smaller numbers are done, and
 *   before another task starts
 * @throws the first error; no task is running then, and none has started after it
 */
export async function runTasks(
  tasks: readonly Task[],
  atOnce: number,
  onDone: (task: number) => void = () => {},
): Promise<void> {
  const waiting = new Set(tasks.keys());
  const done = new Set<number>();
  const running = new Map<number, Promise<number>>();
  let told = 0;
  try {
    while (waiting.size + running.size > 0) {
      for (const number of waiting) {
        const task = tasks[number];
        if (!task || running.size === atOnce || !task.after.every((other) => done.has(other))) continue;
        waiting.delete(number);
        running.set(
          number,
          task.run().then(() => number),
        );
      }
      const number = await Promise.race(running.values());
      running.delete(number);
      done.add(number);
      while (done.has(told)) onDone(told++);
    }
  } finally {
    await Promise.allSettled(running.values());
  }
}

/** The numbers of the tasks beside which no other can run: all come before or after them. */
export function loneTasks(tasks: readonly Pick<Task, "after">[]): ReadonlySet<number> {
  const before = tasks.map((_, number) => ancestors(tasks, number));
  const ordered = (a: number, b: number) => a === b || before[a]?.has(b) || before[b]?.has(a);
  return new Set([...tasks.keys()].filter((number) => tasks.every((_, other) => ordered(number, other))));
}

function ancestors(tasks: readonly Pick<Task, "after">[], number: number): ReadonlySet<number> {
  const found = new Set<number>();
  const open = [...(tasks[number]?.after ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(tasks[next]?.after ?? []));
  }
  return found;
}

/** A pipeline whose programs are started from the event loop; their ends are told by number. */
export function pipelineOf(tasks: readonly PipelineTask[], atOnce: number): Pipeline {
  const steps = tasks.map(({ binding, after }): Task => ({ after, run: () => binding.run() }));
  return { run: (onDone) => runTasks(steps, atOnce, onDone), release: () => {} };
}
