// How a step grows with workers, by simulation; docs/0004-scaling.md has the tables and what they say.
//
//     npx tsx --conditions=@gmc/source packages/collectives/bench/scaling/scaling.bench.ts
import { DEFAULT_CHUNK_BYTES } from "../../src/redis/redis-collective.ts";
import { MEASURED } from "./machine.ts";
import type { StepPlan } from "./step.ts";
import { simulateStep } from "./step.ts";

const TEN_GIGABIT = { ...MEASURED, latencyMs: 0.05, networkMbPerMs: 1.25 };
const ONE_MACHINE = { ...MEASURED, latencyMs: 0, networkMbPerMs: Number.POSITIVE_INFINITY };
const base = {
  rows: 64,
  modalities: 4,
  dim: 64,
  bytesPerValue: 4,
  chunkBytes: DEFAULT_CHUNK_BYTES,
  costs: TEN_GIGABIT,
} as const;
/** Preset mhd on one thread of an EPYC core; parts as their gradients come. */
const MHD = {
  ...base,
  parts: [328_768, 1_277_632, 533_568, 345_152, 398_400, 704],
  forwardMs: 37,
  backwardMs: 66,
  updateMs: 4,
};
/** 100 million parameters in ten parts. On a CPU thread a model of that size takes 35 times mhd's step; on a graphics card some 200 ms. */
const LARGE = { ...base, parts: Array.from({ length: 10 }, () => 10_000_000), updateMs: 130 };
const LARGE_CPU = { ...LARGE, forwardMs: 1300, backwardMs: 2300 };
const LARGE_GPU = { ...LARGE, forwardMs: 60, backwardMs: 120, updateMs: 10 };
const WORKERS = [1, 2, 4, 8, 16, 32, 64];

const megabytes = (plan: Pick<StepPlan, "parts">) => (plan.parts.reduce((sum, part) => sum + part, 0) * 4) / 1e6;

console.log("## Against the real thing: 2 workers and one Redis on 2 shared cores, 11.5 MB at once, no computing");
for (const bytesPerValue of [4, 2] as const) {
  const parts = [2_880_000];
  const { stepMs } = simulateStep({
    ...base,
    parts,
    bytesPerValue,
    workers: 2,
    servers: 1,
    costs: ONE_MACHINE,
    cores: 2,
    rows: 0,
    forwardMs: 0,
    backwardMs: 0,
    updateMs: 0,
  }); // prettier-ignore
  console.log(`${bytesPerValue * 8} bits: ${stepMs.toFixed(1)} ms`);
}

table("mhd, 2.88 M parameters, 64 rows a worker, fp32", MHD, [1, 2, 4, 8]);
table("mhd, bf16", { ...MHD, bytesPerValue: 2 }, [1, 2, 4, 8]);
table("100 M parameters, CPU workers, fp32", LARGE_CPU, [1, 4, 8, 16]);
table("100 M parameters, graphics cards, fp32", LARGE_GPU, [1, 4, 8, 16]);
table("100 M parameters, graphics cards, bf16", { ...LARGE_GPU, bytesPerValue: 2 }, [1, 4, 8, 16]);

/** ms a step, efficiency (one worker's step over this one's) and what is busiest. */
function table(title: string, plan: Omit<StepPlan, "workers" | "servers">, serverCounts: readonly number[]): void {
  console.log(`\n### ${title} (${megabytes(plan).toFixed(0)} MB)\n`);
  console.log(`| workers | ${serverCounts.map((servers) => `${servers} Redis`).join(" | ")} |`);
  console.log(`|---${"|---".repeat(serverCounts.length)}|`);
  const alone = simulateStep({ ...plan, workers: 1, servers: 1 }).stepMs;
  for (const workers of WORKERS) {
    const cells = serverCounts.map((servers) => {
      const { stepMs, busiest, share } = simulateStep({ ...plan, workers, servers });
      const text = `${stepMs.toFixed(0)} ms, ${((100 * alone) / stepMs).toFixed(0)} %`;
      return share > 0.5 ? `${text}, ${busiest} ${(100 * share).toFixed(0)} %` : text;
    });
    console.log(`| ${workers} | ${cells.join(" | ")} |`);
  }
}
