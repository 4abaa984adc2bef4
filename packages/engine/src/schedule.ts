/** A step of a run, as far as its place in time is concerned. */
export interface Job {
  /** Numbers of the jobs that come before it; smaller than its own. */
  readonly after: readonly number[];
  /** Estimated time on one thread, in any unit. */
  readonly work: number;
}

/**
 * The numbers of the jobs in the order in which free threads should take them: first whatever has the most work behind it, itself
 * included, on the longest way to the end.
 */
export function urgencyOrder(jobs: readonly Job[]): number[] {
  const remaining = jobs.map(({ work }) => work);
  for (let number = jobs.length - 1; number >= 0; number--) {
    for (const before of jobs[number]?.after ?? []) {
      const through = (jobs[before]?.work ?? 0) + (remaining[number] ?? 0);
      remaining[before] = Math.max(remaining[before] ?? 0, through);
    }
  }
  return [...jobs.keys()].sort((a, b) => (remaining[b] ?? 0) - (remaining[a] ?? 0) || a - b);
}

/** The numbers of the jobs in the order in which they should end when `lanes` threads take them in `order`. */
export function expectedEnds(jobs: readonly Job[], order: readonly number[], lanes: number): number[] {
  const ends = new Map<number, number>();
  const waiting = new Set(order);
  const free = new Array<number>(Math.max(lanes, 1)).fill(0); // when each lane is free
  while (waiting.size > 0) {
    let best: { readonly number: number; readonly start: number } | undefined;
    const lane = Math.min(...free);
    for (const number of waiting) {
      const before = jobs[number]?.after ?? [];
      if (!before.every((other) => ends.has(other))) continue;
      const start = Math.max(lane, ...before.map((other) => ends.get(other) ?? 0));
      if (!best || start < best.start) best = { number, start };
    }
    if (!best) throw new RangeError("expectedEnds: jobs wait for each other, or for one that is not in the order");
    waiting.delete(best.number);
    const end = best.start + (jobs[best.number]?.work ?? 0);
    ends.set(best.number, end);
    free[free.indexOf(lane)] = end;
  }
  return [...ends.keys()].sort((a, b) => (ends.get(a) ?? 0) - (ends.get(b) ?? 0) || a - b);
}
