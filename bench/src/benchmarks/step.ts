import { inChild } from "../in-child.ts";
import { timePeer } from "../peer.ts";
import type { BenchmarkResult } from "../result.ts";
import { againstPeer } from "../result.ts";
import type { Side } from "../rounds.ts";
import { interleave } from "../rounds.ts";
import { median, spread } from "../statistics.ts";
import type { BenchmarkContext } from "./benchmark.ts";

const BATCH = 64;
const FACTOR = 0.85;
/** Rounds further apart than this speak of a machine that does something else. */
const DISTURBED = 0.1;

/** One training step on one thread against the peer's, and on two against the better of its one and two. */
export async function stepBenchmark(context: BenchmarkContext): Promise<BenchmarkResult[]> {
  const { cores, rounds, untilMs, signal, say } = context;
  const threads = cores > 1 ? [1, 2] : [1];
  if (cores < 2) say("step: this machine has one core, so two threads are not measured.");
  const values = await interleave(
    threads.flatMap((count) => sidesOf(context, count)),
    {
      rounds,
      untilMs,
      signal,
      onValue: (side, round, ms) => say(`step: round ${round}/${rounds}, ${side}: ${ms.toFixed(1)} ms`),
    },
  );
  const ms = (side: string): number | undefined => (values[side]?.length ? median(values[side]) : undefined);
  for (const [side, times] of Object.entries(values)) {
    if (spread(times) > DISTURBED) say(`step: ${side}: rounds lie ${(100 * spread(times)).toFixed(0)} % apart.`);
  }

  const results: BenchmarkResult[] = [];
  const peers: number[] = [];
  for (const count of threads) {
    const ours = ms(oursOn(count));
    const peer = ms(peerOn(count));
    if (peer !== undefined) peers.push(peer);
    if (ours === undefined || (context.peer && peer === undefined)) continue;
    const best = peers.length > 0 ? Math.min(...peers) : null; // more threads do not have to make it faster
    const name = `one training step, B=${BATCH}, ${threadsText(count)}`;
    results.push(againstPeer(name, { value: ours, unit: "ms", peer: best, factor: FACTOR }));
  }
  if (results.length < threads.length) say("step: the time was over before the first round was complete.");
  return results;
}

const threadsText = (count: number): string => (count === 1 ? "1 thread" : `${count} threads`);
const oursOn = (count: number): string => `ours, ${threadsText(count)}`;
const peerOn = (count: number): string => `torch, ${threadsText(count)}`;

function sidesOf({ quick, peer, engine }: BenchmarkContext, threads: number): Side[] {
  const length = quick ? { steps: 10, warmup: 3 } : { steps: 20, warmup: 5 }; // the peer's own defaults
  const ours = async (signal: AbortSignal) =>
    (await inChild("step", { threads, batch: BATCH, shards: 1, engine, ...length }, signal)).msPerStep;
  const sides: Side[] = [{ name: oursOn(threads), measure: ours }];
  if (!peer) return sides;
  const theirs = (signal: AbortSignal) => timePeer(peer, { threads, batch: BATCH, ...length }, signal);
  return [...sides, { name: peerOn(threads), measure: theirs }];
}
