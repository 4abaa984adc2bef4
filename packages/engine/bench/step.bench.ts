// Milliseconds of one training step of the paper's model (2.9 million parameters), by phase:
//
//     npx tsx --conditions=@gmc/source packages/engine/bench/step.bench.ts --threads 1 --batch 64 --shards 1 --steps 20 --runner c-api --device cpu
//
// Compare with the PyTorch peer in the same minute: machines differ, and so do minutes.
import { cpus, hostname } from "node:os";
import { parseArgs } from "node:util";
import { initialTrainState, tensorLayout, treeSum } from "@gmc/core";
import { buildModel, ModelConfig } from "@gmc/models";
import { goldenMhd, randomInputs } from "@gmc/testkit";
import { contrastiveLoss, EngineConfig, openReplica } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    batch: { type: "string", default: "64" },
    shards: { type: "string", default: "1" },
    steps: { type: "string", default: "20" },
    runner: { type: "string", default: "auto" },
    device: { type: "string", default: "cpu" },
  },
});
const [threads, batch, shards, steps] = [values.threads, values.batch, values.shards, values.steps].map(Number) as [
  number,
  number,
  number,
  number,
];
const WARMUP = 4;
const RULE = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

const model = await buildModel(ModelConfig.parse({ preset: "mhd" }), goldenMhd.modalities);
const replica = await openReplica(model, EngineConfig.parse({ threads, runner: values.runner, device: values.device }));
const state = initialTrainState(model, 0);
await replica.write(state);
const rows = batch / shards;
const compileStarted = performance.now();
const compiled = await replica.compile(rows);
const compileMs = performance.now() - compileStarted;
const inputs = Array.from({ length: shards }, (_, v) => randomInputs(model.inputs(rows, "train"), v));
const views = model.modalities.length + 1;
const dim = 64;
const loss = contrastiveLoss({ loss: "nt_xent", temperature: 0.1 }, { modalities: views - 1, batch, dim });
const gradients = inputs.map(() => new Float32Array(tensorLayout(model.parameters).length));
const z = new Float32Array(views * batch * dim);

const phases: Record<string, number[]> = { forward: [], loss: [], backward: [], reduce: [], update: [], step: [] };
let last = Number.NaN;
let cpuBefore = process.cpuUsage();
for (let step = 0; step < WARMUP + steps; step++) {
  if (step === WARMUP) cpuBefore = process.cpuUsage();
  const times = [performance.now()];
  for (const [v, shard] of inputs.entries()) {
    const { embeddings = z } = await compiled.forward(v, shard);
    for (let view = 0; view < views; view++) {
      z.set(embeddings.subarray(view * rows * dim, (view + 1) * rows * dim), (view * batch + v * rows) * dim);
    }
  }
  times.push(performance.now());
  const normalisers = loss.logNormalisers(z, { start: 0, end: batch });
  const shares = inputs.map((_, v) => loss.gradient(z, normalisers, { start: v * rows, end: (v + 1) * rows }));
  last = shares.reduce((sum, share) => sum + share.loss, 0);
  times.push(performance.now());
  for (const [v, { dz }] of shares.entries()) {
    await compiled.backward(v, { dz, localWeight: 1 / shards }, gradients[v] ?? new Float32Array(0));
  }
  times.push(performance.now());
  const [first = new Float32Array(0)] = gradients;
  const gradient = shards > 1 ? treeSum(gradients, first) : first;
  times.push(performance.now());
  await replica.update(gradient, RULE, state.buffers);
  times.push(performance.now());
  if (step < WARMUP) continue;
  for (const [i, phase] of ["forward", "loss", "backward", "reduce", "update"].entries()) {
    phases[phase]?.push((times[i + 1] ?? 0) - (times[i] ?? 0));
  }
  phases.step?.push((times.at(-1) ?? 0) - (times[0] ?? 0));
}
const { user, system } = process.cpuUsage(cpuBefore);
await replica.close();

const median = (samples: number[]): number =>
  samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;
const ms = Object.fromEntries(
  Object.entries(phases).map(([phase, samples]) => [phase, Number(median(samples).toFixed(2))]),
);
const result = {
  ms,
  cpuMs: Number(((user + system) / 1000 / steps).toFixed(2)), // all threads; holds on a busy machine too
  compileMs: Math.round(compileMs),
  samplesPerSecond: Math.round((batch / (ms.step ?? Number.NaN)) * 1000),
  finalLoss: Number(last.toFixed(5)),
  threads,
  batch,
  shards,
  rssMb: Math.round(process.memoryUsage().rss / 1e6),
  host: hostname(),
  cpu: cpus()[0]?.model,
  date: new Date().toISOString(),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
