import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TrainState } from "@gmc/core";
import { initialTrainState } from "@gmc/core";
import { expect, test, vi } from "vitest";
import { openCheckpoints } from "./checkpoints.ts";
import { linearModel } from "./linear-replica.testing.ts";

/** Calls of the file system until the process "dies": from then on every one fails and does nothing. */
const power = vi.hoisted(() => ({ callsLeft: Number.POSITIVE_INFINITY }));

vi.mock("node:fs/promises", async (original) => {
  const { mortalFiles } = await import("@gmc/testkit");
  return mortalFiles(await original<typeof import("node:fs/promises")>(), power);
});

const IDENTITY = { config: { seed: 1 }, dataSha256: "d" };
const stateAt = (step: number): TrainState => ({ ...initialTrainState(linearModel, step), step });
const open = (folder: string) => openCheckpoints(folder, linearModel, IDENTITY);

/** Saves steps 1, 2, 3 with step 2 as the best; the steps whose save returned. */
async function saveThree(folder: string): Promise<number[]> {
  const checkpoints = open(folder);
  const done: number[] = [];
  for (const step of [1, 2, 3]) {
    await checkpoints.save(stateAt(step), "last");
    done.push(step);
    if (step === 2) await checkpoints.save(stateAt(step), "best");
  }
  return done;
}

test("a process that dies before any of its file operations leaves loadable checkpoints or none, and the next one goes on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gmc-crash-"));
  power.callsLeft = 1e6;
  expect(await saveThree(join(folder, "whole"))).toEqual([1, 2, 3]);
  const operations = 1e6 - power.callsLeft;
  expect(operations).toBeGreaterThan(40);
  const seen = new Set<string>();
  for (let calls = 0; calls < operations; calls++) {
    const inside = join(folder, String(calls));
    power.callsLeft = calls;
    await expect(saveThree(inside)).rejects.toThrow("killed");
    power.callsLeft = Number.POSITIVE_INFINITY;
    const checkpoints = open(inside);
    const [last, best] = [await checkpoints.load("last"), await checkpoints.load("best")];
    seen.add(`${last?.step} ${best?.step}`);
    if (last) expect(last).toEqual(stateAt(last.step));
    if (best) expect(best).toEqual(stateAt(2));
    await checkpoints.save(stateAt(9), "last");
    expect(await open(inside).load("last")).toEqual(stateAt(9));
  }
  expect([...seen]).toEqual(["undefined undefined", "1 undefined", "2 undefined", "2 2", "3 2"]);
  await rm(folder, { recursive: true, force: true });
});
