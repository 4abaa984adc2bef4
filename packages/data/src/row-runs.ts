/** Neighbouring rows of a file that are read with one call. */
export interface RowRun {
  /** First row of the file, and how many. */
  readonly firstRow: number;
  readonly rows: number;
  /** Which places of the sorted order this run serves: `[from, to)`. */
  readonly from: number;
  readonly to: number;
}

/** Rows wanted, in file order: place `places[i]` of the batch takes row `indices[places[i]]`. */
export interface RowPlan {
  readonly places: Uint32Array;
  readonly runs: readonly RowRun[];
}

/**
 * How to read scattered rows with few calls: sorted, and neighbours in one run with the rows between them.
 *
 * @param indices     rows wanted, in any order, repeats allowed
 * @param maxGapRows  a run goes on over at most this many rows that nobody asked for
 * @param maxRows     longest run, at least 1
 */
export function planRuns(indices: Uint32Array, maxGapRows: number, maxRows: number): RowPlan {
  const places = Uint32Array.from(indices, (_, place) => place).sort((a, b) => (indices[a] ?? 0) - (indices[b] ?? 0));
  const runs: RowRun[] = [];
  let from = 0;
  while (from < places.length) {
    const firstRow = indices[places[from] ?? 0] ?? 0;
    let last = firstRow;
    let to = from + 1;
    for (; to < places.length; to++) {
      const row = indices[places[to] ?? 0] ?? 0;
      if (row - last > maxGapRows + 1 || row - firstRow >= maxRows) break;
      last = row;
    }
    runs.push({ firstRow, rows: last - firstRow + 1, from, to });
    from = to;
  }
  return { places, runs };
}
