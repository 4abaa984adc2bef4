import type { ClusterView } from "@gmc/jobs";
import { expect, test } from "vitest";
import { clusterText } from "./cluster-text.ts";

const progress = {
  ...{ step: 1234, steps: 4000, epoch: 3, epochs: 10, loss: 6.51234, batchSize: 64 },
  ...{ samplesPerSecond: 900, reduceMs: 12.34, gatherMs: 1.05 },
};
const worker = { host: "alpha", pid: 1, device: "cpu", threads: 2, versions: {}, bits: "", startedAt: "" } as const;
const view: ClusterView = {
  coordinator: "c1",
  workers: [
    { ...worker, id: "w1", state: "busy", task: { run: "demo-1", stage: "training", progress } },
    { ...worker, id: "w2", state: "busy", task: { run: "demo-1", stage: "training", progress } },
    { ...worker, id: "w3", state: "idle" },
  ],
  runs: [
    {
      ...{ job: "demo-1", name: "demo", state: "training", generation: 2, progress },
      members: [
        { worker: "w1", host: "alpha", shards: [0, 1] },
        { worker: "w2", host: "alpha", shards: [2] },
      ],
    },
    { job: "big-2", name: "big", state: "waiting", reason: "waits for 4 workers", members: [] },
  ],
  finished: 1,
  failed: 2,
  samplesPerSecond: 900,
};

test("the tables name who computes and what, a worker's throughput is its share of the shards", () => {
  const lines = clusterText(view).split("\n");
  expect(lines[0]).toBe("coordinator c1, 3 workers, 900 samples/s, 1 run finished, 2 failed");
  const row = (start: string) =>
    lines
      .find((line) => line.startsWith(start))
      ?.split(/ {2,}/)
      .map((cell) => cell.trim());
  expect(row("w1")).toEqual(["w1", "alpha", "cpu", "2", "training", "demo-1", "1,234", "600", "12.3", "1.1"]);
  expect(row("w2")).toContain("300");
  expect(row("w3")).toEqual(["w3", "alpha", "cpu", "2", "idle"]);
  expect(row("demo-1")).toEqual(["demo-1", "demo", "training", "2", "2", "1,234/4,000", "3/10", "6.512", "900"]);
  expect(lines.at(-1)).toBe("big-2 waits: waits for 4 workers");
});

test("a cluster without anybody says so", () => {
  const nobody = { coordinator: null, workers: [], runs: [], finished: 0, failed: 0, samplesPerSecond: 0 };
  expect(clusterText(nobody)).toBe("no coordinator, 0 workers, 0 samples/s, 0 runs finished");
});
