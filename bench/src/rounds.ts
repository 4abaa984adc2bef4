/** One side of a comparison: a measurement that can be repeated. */
export interface Side<Name extends string = string> {
  readonly name: Name;
  /** A number from a process of its own. */
  readonly measure: (signal: AbortSignal) => Promise<number>;
}

/** How long a comparison may go on. */
export interface RoundsOptions {
  /** At most so many. */
  readonly rounds: number;
  /** No further round begins when it would end later, judged by the longest so far; `now`'s milliseconds. */
  readonly untilMs: number;
  /** Ends the measurement under way. */
  readonly signal: AbortSignal;
  readonly onValue?: (side: string, round: number, value: number) => void;
  readonly now?: () => number;
}

/**
 * The values of every side, one a round. Sides take turns, so that a machine that slows down or is shared slows all of them.
 * Only whole rounds count, but for the first: where that is cut short, the sides it did not reach have no value.
 */
export async function interleave<Name extends string>(
  sides: readonly Side<Name>[],
  { rounds, untilMs, signal, onValue, now = () => performance.now() }: RoundsOptions,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  const values = Object.fromEntries(sides.map(({ name }) => [name, []])) as unknown as Record<Name, number[]>;
  let longestMs = 0;
  for (let round = 1; round <= rounds; round++) {
    const startedMs = now();
    if (round > 1 && startedMs + longestMs > untilMs) break;
    const measured = await oneRound(sides, signal, (side, value) => onValue?.(side, round, value));
    const whole = measured.length === sides.length;
    if (!whole && round > 1) break;
    for (const [i, value] of measured.entries()) values[sides[i]?.name as Name].push(value);
    if (!whole) break;
    longestMs = Math.max(longestMs, now() - startedMs);
  }
  return values;
}

/** One value a side, in their order; fewer when the signal came before the last. */
async function oneRound(
  sides: readonly Side[],
  signal: AbortSignal,
  onValue: (side: string, value: number) => void,
): Promise<number[]> {
  const measured: number[] = [];
  for (const { name, measure } of sides) {
    try {
      signal.throwIfAborted();
      const value = await measure(signal);
      measured.push(value);
      onValue(name, value);
    } catch (error) {
      if (signal.aborted) break;
      throw error;
    }
  }
  return measured;
}
