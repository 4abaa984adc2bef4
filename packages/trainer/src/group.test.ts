import type { Collective, Marker } from "@gmc/collectives";
import { compareMarkers } from "@gmc/collectives";
import type { TrainState } from "@gmc/core";
import {
  DivergenceError,
  EnvironmentError,
  initialTrainState,
  NonFiniteError,
  StaleGenerationError,
  silentLogger,
} from "@gmc/core";
import { describe, expect, test } from "vitest";
import type { Faults } from "./linear-replica.testing.ts";
import { linearModel, linearReplica } from "./linear-replica.testing.ts";
import { packTrainState, unpackTrainState } from "./packed-state.ts";
import type { StepGroup } from "./step-group.ts";
import { markerOf } from "./step-group.ts";
import { train } from "./train.ts";
import type { TrainOptions } from "./train-options.ts";
import type { Shares } from "./train-together.testing.ts";
import {
  alone,
  CONFIG,
  expectResults,
  FIRST,
  MemoryLog,
  openGroup,
  optionsOf,
  passedOn,
  STEPS_PER_EPOCH,
  TWO,
  trainTogether,
} from "./train-together.testing.ts";

test("members end with the state of one process, and every step and every epoch's end was committed", async () => {
  const log = new MemoryLog();
  const { state, lossPerEpoch } = await alone();
  for (const result of expectResults(await trainTogether([[0], [1, 2], [3]], { log }))) {
    expect(result).toMatchObject({ status: "finished", steps: 6, lossPerEpoch, state });
    expect(result.exchange?.bytesOut).toBeGreaterThan(0);
  }
  const trained = (step: number): Marker => ({ step, phase: "trained" });
  const validated = (step: number): Marker => ({ step, phase: "validated" });
  expect(log.markers).toEqual([1, 2, 3].map(trained).concat(validated(3), [4, 5, 6].map(trained), validated(6)));
});

test("nothing has changed when a marker is committed: not the weights, not the moments, not the buffers, not the record", async () => {
  const seen: TrainState[][] = [[], []];
  const replicas = [linearReplica(), linearReplica()];
  const outcomes = await trainTogether(TWO, {
    more: (rank) => ({ replica: replicas[rank]! }),
    change: (group, rank) => ({
      ...group,
      async commit(marker, outcome) {
        seen[rank]!.push(await replicas[rank]!.read());
        await group.commit(marker, outcome);
      },
    }),
  });
  expectResults(outcomes);
  const states: TrainState[] = [];
  await train({ ...optionsOf(), replica: watched(states) });
  for (const own of seen) {
    const steps = [0, 1, 2, 3, 3, 4, 5, 6];
    expect(own.map(({ step }) => step)).toEqual(steps);
    for (const [i, step] of steps.entries()) {
      expect(own[i]!.parameters).toEqual(states[step]!.parameters);
      expect(own[i]!.firstMoment).toEqual(states[step]!.firstMoment);
      expect(own[i]!.buffers).toEqual(states[step]!.buffers);
    }
  }
});

/** A replica that notes its state at the beginning and after every step. */
function watched(states: TrainState[]): TrainOptions["replica"] {
  const replica = linearReplica();
  return {
    ...replica,
    async write(state) {
      await replica.write(state);
      states.push(await replica.read());
    },
    async update(...call) {
      const result = await replica.update(...call);
      states.push(await replica.read());
      return result;
    },
  };
}

/** A group whose n-th call fails as a generation does that is over: before it was made, or after, its answer lost. */
function over(group: StepGroup, nth: number, when: "before" | "after", onOver: () => void): StepGroup {
  let calls = 0;
  const fail = (): never => {
    onOver();
    throw new StaleGenerationError("1-a", "2-b");
  };
  const guarded = async <T>(call: () => Promise<T>): Promise<T> => {
    const number = ++calls;
    if (number > nth || (number === nth && when === "before")) fail();
    const result = await call();
    if (number === nth) fail();
    return result;
  };
  const { collective } = group;
  return {
    commit: (...marker) => guarded(() => group.commit(...marker)),
    collective: {
      ...passedOn(collective),
      gather: (...call) => guarded(() => collective.gather(...call)),
      reduce: (...call) => guarded(() => collective.reduce(...call)),
      broadcast: (...call) => guarded(() => collective.broadcast(...call)),
      release: (scope) => guarded(() => collective.release(scope)),
    },
  };
}

describe.each(["before", "after"] as const)("a generation that is over %s its n-th call on one member", (when) => {
  test.each(["highest", "lowest"] as const)(
    "leaves states of committed markers, and the next one ends with the same bits from the %s of them",
    async (which) => {
      const whole = (await alone()).state;
      let nth = 1;
      const phases = new Set<string>();
      for (let done = false; !done; nth++) {
        const log = new MemoryLog();
        let failed = false;
        const onOver = (): void => {
          failed = true;
        };
        const first = expectResults(
          await trainTogether(TWO, {
            log,
            change: (group, rank) => (rank === 0 ? over(group, nth, when, onOver) : group),
          }),
        );
        if (!failed) {
          done = true;
          continue;
        }
        const applied = first.map(({ state }) => markerOf(state, STEPS_PER_EPOCH));
        const behind = [log.last, log.markers.at(-2) ?? null];
        for (const marker of applied) expect(behind).toContainEqual(marker); // committed, one behind at most
        phases.add(`${compareMarkers(applied[0]!, log.last)} ${compareMarkers(applied[1]!, log.last)}`);
        const order = [...first].sort((a, b) =>
          compareMarkers(markerOf(a.state, STEPS_PER_EPOCH), markerOf(b.state, STEPS_PER_EPOCH)),
        );
        const { state } = order[which === "lowest" ? 0 : 1]!;
        const sent = unpackTrainState(packTrainState(state), linearModel);
        const next = expectResults(await trainTogether([[3], [0, 2], [1]], { log, more: () => ({ state: sent }) }));
        for (const result of next) expect(result).toMatchObject({ status: "finished", state: whole });
      }
      expect(nth).toBeGreaterThan(40);
      expect([...phases].length).toBeGreaterThan(1); // both ahead, and one of them behind
    },
    60_000,
  );
});

test.each<Marker>([
  { step: 2, phase: "trained" },
  { step: 3, phase: "validated" },
])("what no member could commit, here %j, no member has applied", async (refused) => {
  const log = new MemoryLog();
  const results = expectResults(
    await trainTogether(TWO, {
      log,
      change: ({ collective }) => ({
        collective,
        async commit(marker) {
          if (compareMarkers(marker, refused) >= 0) throw new StaleGenerationError("1-a", "2-b");
          log.commit(marker);
        },
      }),
    }),
  );
  for (const { status, state } of results) {
    expect(status).toBe("interrupted");
    expect(markerOf(state, STEPS_PER_EPOCH)).toEqual(log.last);
    expect(state.progress.epochLosses).toEqual([]);
  }
});

test("an interrupted call says why, and gives the state without saving it", async () => {
  const saves: string[] = [];
  const checkpoints = {
    find: async () => undefined,
    stepOf: async () => undefined,
    load: async () => undefined,
    save: async (_: TrainState, kind: string) => {
      saves.push(kind);
      return kind;
    },
  };
  const [result] = expectResults(
    await trainTogether(TWO, {
      more: (rank) => (rank === 0 ? { checkpoints } : {}),
      change: (group, rank) => (rank === 0 ? over(group, 12, "before", () => {}) : group),
    }),
  );
  expect(result).toMatchObject({ status: "interrupted", cause: { code: "ERR_STALE_GENERATION" } });
  expect(saves).toEqual([]);
});

test("what an engine fails with is no interruption, whatever its class", async () => {
  const faults: Faults = {
    forward: (step, _, forward) => {
      if (step === 2) throw new EnvironmentError("out of memory");
      return forward;
    },
  };
  const { members, close } = openGroup(TWO);
  const log = new MemoryLog();
  const [first, second] = members.map((collective, rank) =>
    train({ ...optionsOf(TWO[rank], rank === 0 ? faults : {}), group: log.group(collective) }),
  );
  await expect(first).rejects.toThrow("out of memory");
  close();
  expect(await second).toMatchObject({ status: "interrupted", steps: 2 });
});

test("a signal does not wait for a group that does not come", async () => {
  const stop = new AbortController();
  const { members } = openGroup(TWO);
  const waiting = train({
    ...optionsOf(TWO[0]),
    group: new MemoryLog().group(members[0]!),
    signal: stop.signal,
    logger: silentLogger,
  });
  setTimeout(() => stop.abort(), 30);
  expect(await waiting).toMatchObject({ status: "stopped", steps: 0, state: FIRST });
});

test.each<[string, Faults]>([
  ["a local loss", { forward: (step, place, f) => (step === 1 && place === 1 ? { ...f, localLoss: Number.NaN } : f) }],
  ["a gradient", { gradient: (step, place, g) => step === 1 && place === 1 && g.fill(Number.POSITIVE_INFINITY, 3) }],
])(
  "%s that is not finite on one member is refused by all, by the shard's name, and nothing is committed",
  async (_, fault) => {
    const log = new MemoryLog();
    const outcomes = await trainTogether(TWO, { log, faults: (rank) => (rank === 1 ? fault : undefined) });
    for (const outcome of outcomes) {
      expect(outcome).toBeInstanceOf(NonFiniteError);
      expect(outcome).toMatchObject({ details: { step: 2, shard: 3 } });
    }
    expect(log.last).toEqual({ step: 1, phase: "trained" });
  },
);

describe("digests", () => {
  /** A member whose weights are spoilt after so many steps. */
  const spoilt = (after: number): TrainOptions["replica"] => {
    const replica = linearReplica();
    return {
      ...replica,
      async update(...call) {
        const result = await replica.update(...call);
        const state = await replica.read();
        state.parameters[0]! += 1e-6;
        if (state.step === after) await replica.write(state);
        return result;
      },
    };
  };

  test("a member with other weights stops all of them, and is named", async () => {
    const three: Shares = [[0], [1], [2, 3]];
    const outcomes = await trainTogether(three, { more: (rank) => (rank === 1 ? { replica: spoilt(3) } : {}) });
    for (const outcome of outcomes) {
      expect(outcome).toBeInstanceOf(DivergenceError);
      expect(outcome).toMatchObject({ details: { step: 4, ranks: [1] }, message: /rank 1 computed other bits/ });
    }
  });

  test("the last steps are compared too; of two members both are named, for nobody knows who is right", async () => {
    const outcomes = await trainTogether(TWO, {
      more: (rank) => ({ config: { ...CONFIG, digestEverySteps: 100 }, ...(rank === 1 && { replica: spoilt(6) }) }),
    });
    for (const outcome of outcomes) expect(outcome).toMatchObject({ details: { step: 6, ranks: [0, 1] } });
  });

  test("members that begin with different states are told before the first step", async () => {
    const other = initialTrainState(linearModel, 5);
    const log = new MemoryLog();
    const outcomes = await trainTogether(TWO, { log, more: (rank) => (rank === 1 ? { state: other } : {}) });
    for (const outcome of outcomes) expect(outcome).toBeInstanceOf(DivergenceError);
    expect(log.markers).toEqual([]);
  });
});

test("a part is reduced as soon as the last own shard has it, while the rest is computed; with the bits of no parts", async () => {
  const events: string[] = [];
  const outcomes = await trainTogether(TWO, {
    more: () => ({ config: { ...CONFIG, epochs: 1 } }),
    faults: (rank) => ({
      async parts(place) {
        if (rank === 0) events.push(`place ${place} has its first part`);
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (rank === 0) events.push(`place ${place} ends`);
      },
    }),
    change: ({ collective, commit }, rank) => ({
      commit,
      collective: {
        ...passedOn(collective),
        reduce(tag, own, stop, into) {
          if (rank === 0) events.push(tag);
          // A sum must not arrive where it is still read from, and sent again when a connection breaks.
          for (const { buffer } of own.values()) expect(buffer).not.toBe(into?.buffer);
          return collective.reduce(tag, own, stop, into);
        },
      },
    }),
  });
  const { state } = await train({ ...optionsOf(), config: { ...CONFIG, epochs: 1 } });
  for (const result of expectResults(outcomes)) expect(result.state).toEqual(state);
  expect(events.slice(0, 6)).toEqual([
    "place 0 has its first part",
    "place 0 ends",
    "1/gradient/0-3",
    "place 1 has its first part",
    "place 1 ends",
    "1/gradient/3-4",
  ]);
});

test("everything that was exchanged is released, in the end too", async () => {
  const used = new Set<string>();
  const released = new Set<string>();
  const outcomes = await trainTogether(TWO, {
    change: ({ collective, commit }, rank) => ({
      commit,
      collective: {
        ...passedOn(collective),
        gather(tag, ...call) {
          if (rank === 1) used.add(tag.split("/")[0]!);
          return collective.gather(tag, ...call);
        },
        async release(scope) {
          await new Promise((resolve) => setTimeout(resolve, 5)); // slower than a step
          await collective.release(scope);
          if (rank === 1) released.add(scope);
        },
      },
    }),
  });
  expectResults(outcomes);
  expect(used.size).toBeGreaterThan(10);
  expect(released).toEqual(used);
});

test("a batch of other shards than the group shares is refused", async () => {
  const { members } = openGroup([[0], [1]]);
  const group = new MemoryLog().group(members[0]!);
  const quiet = { ...group, collective: { ...silent(members[0]!), gather: async () => new Float32Array(16) } };
  await expect(train({ ...optionsOf([0]), group: quiet })).rejects.toThrow("4 shards in a group that shares 2");
  const other = openGroup(TWO);
  const less = new MemoryLog().group({ ...silent(other.members[0]!), gather: async () => new Float32Array(32) });
  await expect(train({ ...optionsOf([0]), group: less })).rejects.toThrow("holds 1 shards, this worker owns 2");
});

/** Of the same group, but nothing comes of its calls. */
const silent = ({ rank, shardsOfWorkers, wire, traffic }: Collective): Collective => ({
  rank,
  shardsOfWorkers,
  wire,
  traffic,
  gather: async () => new Float32Array(0),
  reduce: async () => new Float32Array(0),
  broadcast: async () => new Float32Array(0),
  release: async () => {},
  close: async () => {},
});
