import { openLocalGroup } from "@gmc/collectives";
import type { Model, TrainState } from "@gmc/core";
import { DataError, initialTrainState } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { syncState, whoGives } from "./sync.ts";

const model = {
  parameters: [{ name: "w", shape: [3], initialiser: { kind: "uniform", bound: 1 }, part: "head" }],
  buffers: [{ name: "b", shape: [2], initial: 0.5, momentum: 0.1 }],
} as const satisfies Pick<Model, "parameters" | "buffers">;
const STEPS = 4;
const SHA = "ab".repeat(32);

/** A state after so many steps, with as many closed epochs; its numbers say which one it is. */
function stateOf(step: number, epochs = Math.floor((step - 1) / STEPS)): TrainState {
  const first = initialTrainState(model as unknown as Model, 1);
  return {
    ...first,
    step,
    parameters: first.parameters.map((_, i) => step + i / 8),
    progress: { ...first.progress, epochLosses: Array.from({ length: epochs }, (_, i) => i / 3) },
  };
}

/** What every member goes on with. `null`: has nothing; the first rank could begin with `start`. */
async function synced(states: readonly (TrainState | null)[], start: TrainState | null = null, shas: string[] = []) {
  const group = openLocalGroup(states.map((_, rank) => [rank]));
  try {
    return await Promise.all(
      group.members.map((collective, rank) =>
        syncState({
          collective,
          model: model as unknown as Model,
          stepsPerEpoch: STEPS,
          dataSha256: shas[rank] ?? SHA,
          state: states[rank] ?? null,
          start: rank === 0 ? start : null,
        }),
      ),
    );
  } finally {
    group.close();
  }
}

describe("members of a generation begin with one state", () => {
  test("that all have: nothing is sent, and everyone keeps its own", async () => {
    const states = [stateOf(3), stateOf(3)];
    const got = await synced(states);
    expect(got[0]).toBe(states[0]);
    expect(got[1]).toBe(states[1]);
  });

  test("the one that has applied the most, bit for bit", async () => {
    const got = await synced([stateOf(6), null, stateOf(7), stateOf(6)]);
    for (const state of got) expect(state).toEqual(stateOf(7));
  });

  test("an epoch that is closed is more than one that is still to be closed", async () => {
    const got = await synced([stateOf(4, 0), stateOf(4, 1)]);
    for (const state of got) expect(state).toEqual(stateOf(4, 1));
  });

  test("what the first rank has loaded, where nobody has anything", async () => {
    for (const start of [stateOf(8), stateOf(0, 0)]) {
      const got = await synced([null, null, null], start);
      for (const state of got) expect(state).toEqual(start);
    }
  });

  test("what somebody has applied rather than the first rank's checkpoint", async () => {
    const got = await synced([null, stateOf(5)], stateOf(4, 1));
    for (const state of got) expect(state).toEqual(stateOf(5));
  });

  test("alone: its own, or what it has loaded", async () => {
    expect(await synced([stateOf(2)], stateOf(1))).toEqual([stateOf(2)]);
    expect(await synced([null], stateOf(1))).toEqual([stateOf(1)]);
  });

  test("and the same data: another sum is refused on every rank, naming it", async () => {
    const other = "cd".repeat(32);
    await expect(synced([stateOf(1), stateOf(1)], null, [SHA, other])).rejects.toThrow(DataError);
    await expect(synced([stateOf(1), stateOf(1)], null, [SHA, other])).rejects.toThrow(/Rank 1 .*cdcd.* and abab/);
  });
});

test("the lowest rank of those that have the most gives, to those that have less", () => {
  const card = (step: number | null) => ({
    has: step !== null,
    marker: step ? ({ step, phase: "trained" } as const) : null,
    dataSha256: SHA,
  });
  const who = (...steps: (number | null)[]) => whoGives(steps.map(card));
  expect(who(null, null)).toEqual({ giver: 0, lacking: [1] });
  expect(who(null, 0)).toEqual({ giver: 1, lacking: [0] }); // the first state, before any step
  expect(who(0, 0)).toEqual({ giver: 0, lacking: [] });
  expect(who(1, 3, 2, 3)).toEqual({ giver: 1, lacking: [0, 2] });
  expect(who(null)).toEqual({ giver: 0, lacking: [] });
});
