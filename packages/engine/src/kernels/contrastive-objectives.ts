import type { ContrastiveSpec, Range } from "@gmc/core";
import type { SimilarityKernel } from "./similarity-kernel.ts";
import { NEVER } from "./similarity-kernel.ts";

/**
 * One loss as sums over blocks of similarities. Set m < M holds modality m's rows, set M ("J") the joint ones.
 * Loss = (lossWeight · Σ log-normalisers - positiveWeight · Σ_m s(J, m)/τ, summed over rows) / (rowsMean · B).
 */
export interface Objective {
  readonly leastBatch: number;
  /** Log-normalisers a row. */
  readonly normalisers: number;
  readonly rowsMean: number;
  readonly lossWeight: number;
  readonly positiveWeight: number;
  /** [rows] for each normaliser. */
  logNormalisers(kernel: SimilarityKernel, rows: Range): Float64Array[];
  /** Adds the normalisers' derivative in the rows of `set`, times rowsMean · B · τ, to the kernel's sums. @param all [B] each */
  addWeighted(kernel: SimilarityKernel, set: number, all: readonly Float64Array[], rows: Range): void;
}

/** The objective of a loss over M modalities. */
export function objectiveOf(loss: ContrastiveSpec["loss"], modalities: number): Objective {
  switch (loss) {
    case "nt_xent":
      return ntXent(modalities);
    case "negatives_only":
      return negativesOnly(modalities);
    case "joints_as_negatives":
      return jointsAsNegatives(modalities);
    default:
      throw new RangeError(
        `contrastiveLoss: loss is nt_xent, negatives_only or joints_as_negatives, received ${loss satisfies never}`,
      );
  }
}

/** Normaliser m is that of the joint row against [z_J; z_m], normaliser M + m that of the modality's row. */
function ntXent(M: number): Objective {
  return {
    leastBatch: 1,
    normalisers: 2 * M,
    rowsMean: 2,
    lossWeight: 1,
    positiveWeight: 2,
    logNormalisers(kernel, rows) {
      const joint = kernel.logSumExp(M, [{ set: M, skipSame: true }], rows); // shared by all modalities
      const ofJoint = each(M, (m) => logAdd(kernel, joint, kernel.logSumExp(M, [{ set: m, skipSame: false }], rows)));
      const ofModality = each(M, (m) =>
        kernel.logSumExp(
          m,
          [
            { set: M, skipSame: false },
            { set: m, skipSame: true },
          ],
          rows,
        ),
      );
      return [...ofJoint, ...ofModality];
    },
    addWeighted(kernel, set, all, rows) {
      const joint = all.slice(0, M);
      const modality = all.slice(M);
      if (set === M) {
        const shared = combine(kernel, joint);
        kernel.addWeighted(M, { set: M, skipSame: true }, within(shared, rows), shared, rows);
        for (let m = 0; m < M; m++) {
          kernel.addWeighted(M, { set: m, skipSame: false }, within(joint[m], rows), at(modality, m), rows);
        }
      } else {
        const own = within(modality[set], rows);
        kernel.addWeighted(set, { set: M, skipSame: false }, own, at(joint, set), rows);
        kernel.addWeighted(set, { set, skipSame: true }, own, at(modality, set), rows);
      }
    },
  };
}

/** Normaliser m: modality against joint, modality against modality and joint against joint, other samples only. */
function negativesOnly(M: number): Objective {
  return {
    leastBatch: 2,
    normalisers: M,
    rowsMean: 1,
    lossWeight: 1,
    positiveWeight: 1,
    logNormalisers(kernel, rows) {
      const joint = kernel.logSumExp(M, [{ set: M, skipSame: true }], rows);
      return each(M, (m) => {
        const blocks = [
          { set: M, skipSame: true },
          { set: m, skipSame: true },
        ];
        return logAdd(kernel, joint, kernel.logSumExp(m, blocks, rows));
      });
    },
    addWeighted(kernel, set, all, rows) {
      const never = new Float64Array(all[0]?.length ?? 0).fill(NEVER);
      if (set === M) {
        const shared = combine(kernel, all);
        kernel.addWeighted(M, { set: M, skipSame: true }, within(shared, rows), shared, rows);
        for (let m = 0; m < M; m++) {
          kernel.addWeighted(M, { set: m, skipSame: true }, within(never, rows), at(all, m), rows);
        }
      } else {
        const own = within(all[set], rows);
        kernel.addWeighted(set, { set: M, skipSame: true }, own, never, rows);
        kernel.addWeighted(set, { set, skipSame: true }, own, at(all, set), rows);
      }
    },
  };
}

/** One normaliser, joint against joint, counted once a modality. */
function jointsAsNegatives(M: number): Objective {
  return {
    leastBatch: 2,
    normalisers: 1,
    rowsMean: 1,
    lossWeight: M,
    positiveWeight: 1,
    logNormalisers: (kernel, rows) => [kernel.logSumExp(M, [{ set: M, skipSame: true }], rows)],
    addWeighted(kernel, set, all, rows) {
      if (set < M) return; // modalities meet the joint row as positives only
      const shared = combine(
        kernel,
        each(M, () => at(all, 0)),
      );
      kernel.addWeighted(M, { set: M, skipSame: true }, within(shared, rows), shared, rows);
    },
  };
}

/** [n] log(exp a + exp b) */
function logAdd(kernel: SimilarityKernel, a: Float64Array, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length);
  for (let i = 0; i < sum.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    sum[i] = Math.max(x, y) + kernel.log(1 + kernel.exp(-Math.abs(x - y)));
  }
  return sum;
}

/** [n] the normaliser c with exp(s - c) = Σ exp(s - l) over the given ones: -log Σ exp(-l). */
function combine(kernel: SimilarityKernel, normalisers: readonly Float64Array[]): Float64Array {
  const combined = new Float64Array(normalisers[0]?.length ?? 0);
  for (let i = 0; i < combined.length; i++) {
    let least = Number.POSITIVE_INFINITY;
    for (const values of normalisers) least = Math.min(least, values[i] ?? 0);
    let sum = 0;
    for (const values of normalisers) sum += kernel.exp(least - (values[i] ?? 0));
    combined[i] = least - kernel.log(sum);
  }
  return combined;
}

const each = <T>(count: number, of: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));

const within = (values: Float64Array | undefined, { start, end }: Range): Float64Array =>
  (values ?? new Float64Array(0)).subarray(start, end);

function at(sets: readonly Float64Array[], index: number): Float64Array {
  const set = sets[index];
  if (!set) throw new RangeError(`set ${index} of ${sets.length}`);
  return set;
}
