import type { Collective } from "@gmc/collectives";
import { StaleGenerationError } from "@gmc/core";
import { expect, test } from "vitest";
import { ScopeCalls } from "./scope-calls.ts";

/** A collective whose calls wait until they are told to end; who is aborted takes a while to let go of its memory. */
function waiting(shardsOfWorkers: Collective["shardsOfWorkers"] = [[0], [1]]) {
  const calls = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const ended: string[] = [];
  const call = (tag: string, signal?: AbortSignal) =>
    new Promise<Float32Array>((resolve, reject) => {
      const end = (settle: () => void): void => {
        ended.push(tag);
        settle();
      };
      signal?.addEventListener("abort", () => setTimeout(() => end(() => reject(new Error("aborted"))), 10));
      calls.set(tag, {
        resolve: () => end(() => resolve(new Float32Array(1))),
        reject: (error) => end(() => reject(error)),
      });
    });
  const collective: Collective = {
    rank: 0,
    shardsOfWorkers,
    wire: "fp32",
    traffic: { calls: 0, bytesOut: 0, bytesIn: 0, computeMs: 0 },
    gather: (tag, _, signal) => call(tag, signal),
    reduce: (tag, _, signal) => call(tag, signal),
    broadcast: (tag, _, __, signal) => call(tag, signal),
    release: async (scope) => void ended.push(`release ${scope}`),
    close: async () => {},
  };
  return { collective, calls, ended };
}
const NONE = new Map();

test("the call that fails first ends the others, is what is blamed, and nothing is under way after the stop", async () => {
  const { collective, calls, ended } = waiting();
  const scope = new ScopeCalls(collective, "7");
  const gather = scope.gather("z", NONE);
  scope.reduce({ start: 0, end: 1 }, NONE, new Float32Array(1));
  const stale = new StaleGenerationError("1-a", null);
  calls.get("7/gradient/0-1")?.reject(stale);
  const error: unknown = await gather.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message: "aborted" });
  expect(await scope.stop(error)).toBe(stale);
  expect(ended).toEqual(["7/gradient/0-1", "7/z"]);
});

test("what failed elsewhere ends the calls, and stays what is blamed", async () => {
  const { collective, ended } = waiting();
  const scope = new ScopeCalls(collective, "7");
  scope.gather("z", NONE);
  const mistake = new TypeError("a mistake");
  expect(await scope.stop(mistake)).toBe(mistake);
  expect(ended).toEqual(["7/z"]);
});

test("a signal ends the calls", async () => {
  const { collective, ended } = waiting();
  const stop = new AbortController();
  const gather = new ScopeCalls(collective, "7", stop.signal).gather("z", NONE);
  stop.abort();
  await expect(gather).rejects.toThrow("aborted");
  expect(ended).toEqual(["7/z"]);
});

test("reductions and gathers are counted, and the reductions' whole time with what was waited for", async () => {
  const { collective, calls } = waiting();
  const scope = new ScopeCalls(collective, "7");
  const gather = scope.gathered(scope.gather("z", NONE));
  setTimeout(() => calls.get("7/z")?.resolve(), 20);
  await gather;
  scope.reduce({ start: 0, end: 1 }, NONE, new Float32Array(1));
  await new Promise((resolve) => setTimeout(resolve, 20)); // the backward goes on
  setTimeout(() => calls.get("7/gradient/0-1")?.resolve(), 20);
  await scope.reduced();
  const { gatherMs, reduceMs, reduceWaitMs } = scope.exchange;
  expect(gatherMs).toBeGreaterThan(15);
  expect(reduceWaitMs).toBeGreaterThan(15);
  expect(reduceMs).toBeGreaterThan(reduceWaitMs + 15);
});
