/** A step of a run. */
export interface Task {
  /** Numbers of the tasks that come before it; smaller than its own. */
  readonly after: readonly number[];
  run(): Promise<void>;
}

/**
 * Runs tasks, `atOnce` of them at the same time, each after those before it; of those that could run the first.
 *
 * @param onDone  called with the numbers 0, 1, … in this order, each as soon as its task and those of smaller numbers are done
 * @throws the first error; no task is running then, and those that come after the failed one have not run
 */
export async function runTasks(
  tasks: readonly Task[],
  atOnce: number,
  onDone: (task: number) => void = () => {},
): Promise<void> {
  const slots = openSlots(atOnce);
  const ends: Promise<void>[] = [];
  for (const { after, run } of tasks) {
    const before = after.map((number) => ends[number]);
    ends.push(Promise.all(before).then(() => slots(run)));
  }
  const settled = Promise.allSettled(ends);
  try {
    for (const [number, end] of ends.entries()) {
      await end;
      onDone(number);
    }
  } finally {
    await settled;
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

/** Runs what it is given, `count` at the same time and first come, first served. */
function openSlots(count: number): (run: () => Promise<void>) => Promise<void> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
