// What a reduction over Redis costs, as many processes as workers, on this machine:
//
//     npx tsx --conditions=@gmc/source packages/collectives/bench/reduce.bench.ts --workers 2 --values 2880000 --wire fp32 --parts 1 --steps 30
//
// ms a reduction (mean, and the best of each ten), and core-ms a MB reduced: user and system time of all workers and of
// redis-server together, per MB (10^6 bytes) of float32 that is reduced, whatever the wire's format.
import { fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runKeys } from "@gmc/protocol";
import { deleteTracked, openConnection, parseRedisUrl, raiseFence } from "@gmc/redis";
import type { CallMetrics, Collective } from "../src/index.ts";
import { evenShares, openRedisCollective, wholeSubtrees } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "2" },
    values: { type: "string", default: "2880000" },
    wire: { type: "string", default: "fp32" },
    parts: { type: "string", default: "1" },
    steps: { type: "string", default: "30" },
    chunk: { type: "string", default: String(2 * 1024 * 1024) },
    gather: { type: "boolean", default: false },
    tcp: { type: "boolean", default: false },
    redis: { type: "string", multiple: true },
    rank: { type: "string" },
  },
});
const [workers, length, parts, steps, chunkBytes] = [
  values.workers,
  values.values,
  values.parts,
  values.steps,
  values.chunk,
].map(Number) as [number, number, number, number, number]; // prettier-ignore
const wire = values.wire === "bf16" ? "bf16" : "fp32";
const WARMUP = 5;
const RUN = "bench";
const GENERATION = "1-bench";
const shares = evenShares(workers, workers);

interface Report {
  readonly ms: readonly number[];
  readonly cpuMs: number;
  readonly gatherMs: number;
  readonly metrics: CallMetrics | undefined;
}

if (values.rank === undefined) await main();
else await worker(Number(values.rank), values.redis ?? []);

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "gmc-bench-"));
  const socket = join(folder, "r.sock");
  const listen = values.tcp ? ["--port", "16399", "--bind", "127.0.0.1"] : ["--port", "0", "--unixsocket", socket];
  const server = spawn("redis-server", [...listen, "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  const url = values.tcp ? "redis://127.0.0.1:16399" : `unix://${socket}`;
  await delay(300);
  const connection = await openConnection(parseRedisUrl(url));
  try {
    const keys = runKeys(RUN);
    await raiseFence(connection, keys, { number: 1, id: GENERATION }, 600_000);
    const cpu = async () => {
      const info = await connection.client.info("cpu");
      const field = (name: string) => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1]);
      return 1000 * (field("used_cpu_sys") + field("used_cpu_user"));
    };
    const children = shares.map((_, rank) =>
      fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--rank", String(rank), "--redis", url], {
        execArgv: process.execArgv,
      }),
    );
    const message = <T>(child: (typeof children)[number]) =>
      new Promise<T>((resolve) => child.once("message", resolve as (value: unknown) => void)); // prettier-ignore
    await Promise.all(children.map((child) => message(child)));
    const serverBefore = await cpu();
    const reports = children.map((child) => message<Report>(child));
    for (const child of children) child.send("go");
    const results = await Promise.all(reports);
    const serverMs = (await cpu()) - serverBefore;
    const peak = /used_memory_peak:(\d+)/.exec(await connection.client.info("memory"))?.[1];
    const megabytes = (length * 4) / 1e6;
    const ms = results[0]!.ms.map((_, i) => Math.max(...results.map((result) => result.ms[i]!)));
    const perMb = (total: number) => (total / steps / megabytes).toFixed(2);
    const workersMs = results.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const bests = ms.flatMap((_, i) => (i % 10 === 0 ? [Math.min(...ms.slice(i, i + 10)).toFixed(1)] : []));
    console.log(
      `${hostname()} ${cpus()[0]?.model} ×${cpus().length}, node ${process.version}, ${new Date().toISOString()}`,
    );
    console.log(
      `${workers} workers, ${megabytes.toFixed(1)} MB in ${parts} parts, ${wire}, chunks ${chunkBytes}, ${values.tcp ? "tcp" : "unix"}`,
    );
    console.log(
      `ms a reduction: mean ${(ms.reduce((a, b) => a + b, 0) / ms.length).toFixed(1)}, median ${[...ms].sort((a, b) => a - b)[ms.length >> 1]?.toFixed(1)}, best of each ten ${bests.join(" ")}`,
    );
    console.log(
      `core-ms a MB: ${perMb(workersMs + serverMs)} (workers ${perMb(workersMs)}, Redis ${perMb(serverMs)}); peak of Redis ${(Number(peak) / 1e6).toFixed(0)} MB`,
    );
    if (values.gather)
      console.log(
        `ms a gather of 20 k numbers a shard: ${results.map(({ gatherMs }) => gatherMs.toFixed(2)).join(" ")}`,
      );
    console.log(`last call of rank 0: ${JSON.stringify(results[0]?.metrics)}`);
    await deleteTracked(connection, keys.registry, keys.prefix);
  } finally {
    connection.close();
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function worker(rank: number, servers: readonly string[]): Promise<void> {
  let metrics: CallMetrics | undefined;
  const collective = openRedisCollective({
    servers,
    run: RUN,
    generation: GENERATION,
    rank,
    shardsOfWorkers: shares,
    wire,
    chunkBytes,
    onMetrics: (latest) => {
      metrics = latest;
    },
  });
  const gradient = Float32Array.from({ length }, (_, i) => Math.sin(i + rank) * 1e-3);
  const sum = new Float32Array(length);
  await collective.gather("start/z", new Map([[rank, Float32Array.of(rank)]]));
  process.send?.("ready");
  await new Promise((resolve) => process.once("message", resolve));
  for (let step = 0; step < WARMUP; step++) await reduceStep(collective, `w${step}`, gradient, sum);
  const before = process.cpuUsage();
  const ms: number[] = [];
  for (let step = 0; step < steps; step++) {
    const startedAt = performance.now();
    await reduceStep(collective, `${step}`, gradient, sum);
    ms.push(performance.now() - startedAt);
  }
  const { user, system } = process.cpuUsage(before);
  const kept = metrics;
  let gatherMs = 0;
  if (values.gather) {
    const z = gradient.subarray(0, 20_480);
    const startedAt = performance.now();
    for (let step = 0; step < 50; step++) await collective.gather(`g${step}/z`, new Map([[rank, z]]));
    gatherMs = (performance.now() - startedAt) / 50;
  }
  const report: Report = { ms, cpuMs: (user + system) / 1000, gatherMs, metrics: kept };
  process.send?.(report, () => process.disconnect());
  await collective.close();
}

async function reduceStep(
  collective: Collective,
  step: string,
  gradient: Float32Array,
  sum: Float32Array,
): Promise<void> {
  const size = Math.ceil(length / parts);
  const [subtree] = wholeSubtrees(shares[collective.rank] ?? [], workers);
  const calls = Array.from({ length: parts }, (_, part) => {
    const range = [part * size, Math.min(length, (part + 1) * size)] as const;
    const own = new Map(subtree ? [[subtree, gradient.subarray(...range)] as const] : []);
    return collective.reduce(`${step}/part${part}`, own, undefined, sum.subarray(...range));
  });
  await Promise.all(calls);
  await collective.release(step);
}
