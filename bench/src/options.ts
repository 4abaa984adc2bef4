import { parseArgs } from "node:util";

export const BENCHMARKS = [
  "gradient",
  "step",
  "replicas",
  "reduce",
  "cluster",
  "recovery",
  "engines",
  "memory",
] as const;
export type BenchmarkName = (typeof BENCHMARKS)[number];
/** What `--quick` leaves out unless it is named: each takes most of its time to start. */
const SLOW: readonly BenchmarkName[] = ["cluster", "recovery", "engines"];

/** What the command line asks for. */
export interface BenchOptions {
  /** In the order they run. */
  readonly names: readonly BenchmarkName[];
  /** The time of a step by operator, instead of benchmarks. */
  readonly profile: boolean;
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  /** Rounds of every comparison; absent: the mode's number. */
  readonly rounds?: number;
  /** Of the profile. */
  readonly threads: number;
  readonly batch: number;
  /** Further fields of the engine's configuration, for instance `runner`. */
  readonly engine: Readonly<Record<string, unknown>>;
}

export const USAGE = `Usage: npm run bench -- [benchmark …] [options]

Benchmarks (all when none is named):
  gradient   largest relative error of a parameter's gradient against float64
  step       one training step on 1 and 2 threads, against PyTorch
  replicas   2 local replicas against 1
  reduce     processor time of a reduction over Redis
  cluster    2 workers over Redis against 1 process and PyTorch's DDP
  engines    one training step on TensorFlow beside onnxruntime, where npm run setup:tensorflow was run
  recovery   how long a run stands still after a worker's death
  memory     resident memory over 10,000 steps
  profile    milliseconds of a step by operator; only when named, and alone

Options:
  --quick               fewer rounds and steps, and without cluster, recovery and engines unless they are named; ends within 50 seconds
  --json                one JSON document on standard output (npm run --silent bench -- --json)
  --rounds <n>          rounds of every comparison
  --engine <key=value>  a field of the engine's configuration, for instance runner=onnxruntime-node; may be repeated
  --threads <n>         of the profile (1)
  --batch <n>           of the profile (64)
`;

/** @throws {RangeError} naming the argument that is wrong */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      rounds: { type: "string" },
      threads: { type: "string", default: "1" },
      batch: { type: "string", default: "64" },
      engine: { type: "string", multiple: true, default: [] },
    },
  });
  const profile = positionals.includes("profile");
  if (profile && positionals.length > 1) throw new RangeError("profile runs alone: name no benchmark beside it.");
  const named = positionals.filter((name) => name !== "profile").map(benchmarkName);
  return {
    names: BENCHMARKS.filter((name) =>
      named.length === 0 ? !(values.quick && SLOW.includes(name)) : named.includes(name),
    ),
    profile,
    quick: values.quick,
    json: values.json,
    help: values.help,
    ...(values.rounds === undefined ? {} : { rounds: count("--rounds", values.rounds) }),
    threads: count("--threads", values.threads),
    batch: count("--batch", values.batch),
    engine: Object.fromEntries(values.engine.map(setting)),
  };
}

function benchmarkName(name: string): BenchmarkName {
  const known = BENCHMARKS.find((benchmark) => benchmark === name);
  if (known) return known;
  throw new RangeError(`There is no benchmark "${name}"; there are ${BENCHMARKS.join(", ")} and profile.`);
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`${flag} is a number from 1, received ${text}.`);
}

function setting(text: string): [string, unknown] {
  const at = text.indexOf("=");
  if (at < 1) throw new RangeError(`--engine expects key=value, received ${text}.`);
  const value = text.slice(at + 1);
  return [text.slice(0, at), /^(\d+|true|false)$/.test(value) ? JSON.parse(value) : value];
}
