// `npm run bench`: see README.md. Standard output carries the JSON document only.
import { existsSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { busyWarning, describeHost } from "./host.ts";
import { inChild } from "./in-child.ts";
import type { BenchOptions } from "./options.ts";
import { parseBenchOptions, USAGE } from "./options.ts";
import { findPeer, importTorch, peerPlaces } from "./peer.ts";
import { operatorTimes } from "./profile-events.ts";
import { profileTable } from "./profile-table.ts";
import { hostLine, reportTable } from "./report-table.ts";
import { runBenchmarks } from "./run-benchmarks.ts";

/** `--quick` has 50 seconds, from the command to the prompt: npm's start and what ends the children are among them. */
const QUICK = { rounds: 5, endMs: 41_000, stopMs: 45_000 };
const ROUNDS = 5;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function bench({ names, quick, json, engine, rounds }: BenchOptions): Promise<void> {
  const date = new Date();
  const stop = new AbortController();
  const timer = quick ? setTimeout(() => stop.abort(), QUICK.stopMs - performance.now()) : undefined;
  const found = await findPeer(peerPlaces(surroundings()), existsSync, (python) => importTorch(python, stop.signal));
  const peer = "missing" in found ? undefined : found;
  if ("missing" in found && names.includes("step")) say(found.missing);
  const warning = busyWarning();
  if (warning) say(warning);
  const context = {
    quick,
    peer,
    engine,
    say,
    cores: availableParallelism(),
    rounds: rounds ?? (quick ? QUICK.rounds : ROUNDS),
    signal: stop.signal,
  };
  const results = await runBenchmarks(names, context, quick ? QUICK.endMs : Number.MAX_SAFE_INTEGER);
  clearTimeout(timer);
  const report = { host: describeHost(peer?.torch ?? null, date), results };
  say(`\n${reportTable(report)}`);
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
}

async function profile({ json, engine, threads, batch, quick }: BenchOptions): Promise<void> {
  const host = describeHost(null, new Date());
  const length = quick ? { steps: 5, warmup: 2 } : { steps: 20, warmup: 5 };
  const args = { threads, batch, shards: 1, engine, ...length };
  const result = await inChild("profile", args, new AbortController().signal);
  say(
    `${hostLine(host)}\nOne step, B=${batch}, threads ${threads}, medians of ${length.steps} steps\n\n${profileTable(result)}`,
  );
  const operators = operatorTimes(result.forward, result.backward);
  if (json) process.stdout.write(`${JSON.stringify({ host, threads, batch, ...result, operators })}\n`);
}

const surroundings = () => ({
  env: process.env,
  platform: process.platform,
  home: homedir(),
  repository: fileURLToPath(new URL("../..", import.meta.url)),
});

try {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else await (options.profile ? profile(options) : bench(options));
} catch (error) {
  if (!(error instanceof RangeError || (error instanceof TypeError && "code" in error))) throw error;
  say(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
