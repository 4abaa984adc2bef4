/**
 * Alignment at the paper's size: 10,000 + 10,000 codes, 10,000 lines a point.
 *
 *     npx tsx --conditions=@gmc/source packages/evaluation/bench/alignment.bench.ts [complete.npy modality.npy] [rays]
 *
 * The files are those of `gmc encode RUN --out …`; without them, clusters on the sphere stand in for codes.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, hostname } from "node:os";
import { decodeNpy } from "@gmc/storage";
import { benchmarkAlignment, clusteredCodes } from "../src/alignment/benchmark.ts";

const files = process.argv.slice(2).filter((argument) => argument.endsWith(".npy"));
const rays = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 10_000);
const [first, second] = files;
const sets = first && second ? [await load(first), await load(second)] : [1, 2].map(standIn);
const [reference, evaluated] = sets;
if (!reference || !evaluated) throw new Error("two sets of codes are needed");

const result = await benchmarkAlignment({
  reference: reference.codes,
  evaluated: evaluated.codes,
  dim: reference.dim,
  rays,
  onProgress: ({ done, secondsLeft }) =>
    process.stderr.write(`\r${(100 * done).toFixed(1)} %, ${secondsLeft?.toFixed(0) ?? "?"} s left   `),
});
const machine = { host: hostname(), cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
console.log(JSON.stringify({ date: new Date().toISOString(), machine, files, ...result }, null, 2));

async function load(path: string) {
  const { data, shape } = decodeNpy(await readFile(path));
  return { codes: Float32Array.from(data as Float32Array), dim: shape[1] ?? 1 };
}

function standIn(seed: number) {
  return { codes: clusteredCodes(seed, 10_000, 64), dim: 64 };
}
