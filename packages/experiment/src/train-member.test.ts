import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Collective } from "@gmc/collectives";
import { openLocalGroup } from "@gmc/collectives";
import type { TrainState } from "@gmc/core";
import { initialTrainState, StaleGenerationError } from "@gmc/core";
import { openDatasetWriter } from "@gmc/data";
import type { MetricsRecord } from "@gmc/storage";
import type { StepGroup } from "@gmc/trainer";
import { readCheckpoint } from "@gmc/trainer";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { MemberResult, Training } from "./index.ts";
import { loadRun, openRunFolderFor, openTraining, parseRunConfig, trainMember, trainRun } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "gmc-member-"));
const data = join(root, "data");
const encoder = { encoder: { kind: "mlp" as const, widths: [8] } };
const CONFIG = parseRunConfig({
  data: { path: data, threads: 0 },
  model: { commonDim: 8, latentDim: 4, head: { widths: [8] }, modalities: { a: encoder, b: encoder } },
  engine: { threads: 1 },
  training: { batchSize: 8, shards: 2, epochs: 3, validation: { fraction: 0.3 }, metrics: { everySteps: 1 } },
});
const STEPS = 3 * 3; // 35 samples, 10 held out
let whole: MemberResult["record"];
const open: Training[] = [];

beforeAll(async () => {
  const modalities = ["a", "b"].map((name) => ({ name, kind: "vector", shape: [3], dtype: "float32" }) as const);
  const writer = await openDatasetWriter({ out: data, name: "tiny", source: "a test", modalities });
  const values = Float32Array.from({ length: 35 * 3 }, (_, i) => Math.sin(i * i));
  await writer.split("train").append({ a: values, b: values.map((value) => value / 2) });
  await writer.split("test").append({ a: values, b: values });
  await writer.finish();
  whole = await trainRun({ config: CONFIG, out: join(root, "alone") });
});
afterEach(async () => {
  for (const training of open.splice(0)) await training.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function openMember(): Promise<Training> {
  const training = await openTraining(CONFIG, undefined, { shards: 1 });
  open.push(training);
  return training;
}

const committing = (collective: Collective): StepGroup => ({ collective, commit: async () => {} });

/** A group that is over at its n-th commit, before it or with its answer lost. */
function overAt(group: StepGroup, nth: number, onOver: () => void): StepGroup {
  let commits = 0;
  return {
    ...group,
    async commit(...marker) {
      if (++commits === nth) {
        onOver();
        throw new StaleGenerationError("1-a", "2-b");
      }
      await group.commit(...marker);
    },
  };
}

const linesOf = (out: string): readonly MetricsRecord[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as MetricsRecord);
const placesOf = (lines: readonly MetricsRecord[]) => lines.map(({ event, step }) => `${event} ${step}`);

test.each([1, 2, 3, 4, 5, 8, 12])(
  "a run whose first generation is over at commit %i is kept by another worker, with the record and the lines of one process",
  async (nth) => {
    const out = join(root, `over-${nth}`);
    const [first, second] = [await openMember(), await openMember()];
    const { folder, state } = await openRunFolderFor({ config: CONFIG, out, resume: false, training: first });
    const before = openLocalGroup([[0], [1]]);
    const ends = await Promise.all(
      [first, second].map((training, rank) => {
        const group = committing(before.members[rank]!);
        return trainMember({
          training,
          config: CONFIG,
          state,
          group: rank === 0 ? overAt(group, nth, () => before.close()) : group,
          ...(rank === 0 && { folder }),
        });
      }),
    );
    for (const { status, record } of ends) {
      expect(status).toBe("interrupted");
      expect(record).toBe(undefined);
    }
    const furthest = ends.reduce<TrainState>((most, end) => (end.steps > most.step ? end.state : most), ends[1]!.state);

    const after = openLocalGroup([[1], [0]]); // the other worker keeps the run now
    const again = await openRunFolderFor({ config: CONFIG, out, resume: true, training: second });
    const [kept, helped] = await Promise.all(
      [second, first].map((training, rank) =>
        trainMember({
          training,
          config: CONFIG,
          state: furthest,
          group: committing(after.members[rank]!),
          recordOf: (record) => ({ ...record, workers: 2, generations: 2 }),
          ...(rank === 0 && { folder: again.folder, run: out }),
        }),
      ),
    );
    after.close();
    expect(helped).toMatchObject({ status: "finished", steps: STEPS });
    expect(kept?.record).toMatchObject({
      run: out,
      status: "finished",
      weightsSha256: whole?.weightsSha256,
      finalLoss: whole?.finalLoss,
      workers: 2,
      generations: 2,
    });
    if (furthest.step < STEPS) expect(kept?.record?.reduceMs).toBeGreaterThan(0);
    expect((await loadRun(out)).record).toEqual(kept?.record);
    const lines = placesOf(linesOf(out));
    expect(new Set(lines).size).toBe(lines.length);
    expect(placesOf(linesOf(join(root, "alone"))).filter((line) => !lines.includes(line)).length).toBeLessThanOrEqual(
      1,
    ); // what the first one applied but did not write
    for (const kind of ["last", "best"] as const) {
      const of = (run: string) => readCheckpoint(join(run, "checkpoints"), kind, second.model);
      expect(await of(out)).toEqual(await of(join(root, "alone")));
    }
  },
);

test("whoever goes on at an epoch's end saves what its predecessor died before saving", async () => {
  const training = await openMember();
  const sources = training.sources();
  const { folder } = await openRunFolderFor({ config: CONFIG, out: join(root, "missed"), resume: false, training });
  const stop = new AbortController();
  const { state: closed } = await trainMember({
    training,
    config: CONFIG,
    state: initialTrainState(training.model, CONFIG.seed),
    signal: stop.signal,
    onProgress: ({ phase }) => phase === "epoch" && stop.abort(),
  });
  expect(closed.step).toBe(sources.source.stepsPerEpoch);
  expect(await readCheckpoint(folder.checkpoints, "best", training.model)).toBe(undefined);
  await trainMember({ training, config: CONFIG, state: closed, folder, signal: AbortSignal.abort() });
  expect(await readCheckpoint(folder.checkpoints, "best", training.model)).toEqual(closed);
  expect(await readCheckpoint(folder.checkpoints, "last", training.model)).toEqual(closed);
});

test("a signal that has fired saves the state it is given, and the record says stopped", async () => {
  const training = await openMember();
  const { folder, state } = await openRunFolderFor({
    config: CONFIG,
    out: join(root, "saved"),
    resume: false,
    training,
  });
  const { record } = await trainMember({ training, config: CONFIG, state, folder, signal: AbortSignal.abort() });
  expect(record).toMatchObject({ status: "stopped", steps: 0 });
  expect(await readCheckpoint(folder.checkpoints, "last", training.model)).toEqual(state);
});
