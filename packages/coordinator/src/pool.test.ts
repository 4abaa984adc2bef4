import type { TaskReport, WorkerAssignment, WorkerReport } from "@gmc/protocol";
import { clusterKeys } from "@gmc/protocol";
import type { RedisConnection } from "@gmc/redis";
import { expect, test } from "vitest";
import { Pool } from "./pool.ts";

const worker = (id: string, task?: Partial<TaskReport>, more: Partial<WorkerReport> = {}): WorkerReport => ({
  id,
  host: "h",
  pid: 1,
  device: "cpu",
  threads: 1,
  versions: {},
  bits: "",
  startedAt: `2026-01-0${id}`,
  state: task ? "busy" : "idle",
  ...(task && { task: { run: "r", stage: "ready", ...task } }),
  ...more,
});
const job = { config: {}, out: "o", resume: false };
const invited = (run: string): WorkerAssignment => ({ run, generation: null, job });

/** A pool after a look at these workers, and what it told them by then. */
function poolOf(clock = { now: 0 }) {
  const pool = new Pool(
    () => {},
    () => clock.now,
  );
  const look = async (...reports: readonly WorkerReport[]): Promise<Record<string, WorkerAssignment>> => {
    const told: Record<string, WorkerAssignment> = {};
    const control = {
      evaluate: async (_: unknown, keys: readonly string[], words: readonly string[]) => {
        const id = reports.find((report) => clusterKeys.assignment(report.id) === keys[1])?.id ?? "?";
        told[id] = JSON.parse(words[1] ?? "");
      },
    } as unknown as RedisConnection;
    await pool.update(new Map(reports.map((report) => [report.id, report])), control, {
      key: "k",
      owner: "o",
      token: 1,
    });
    return told;
  };
  return { pool, look, clock };
}

test("free are those who have nothing to do and do not leave, the longest there first", async () => {
  const { pool, look } = poolOf();
  pool.join("r");
  await look(worker("3"), worker("1"), worker("2", undefined, { state: "leaving" }), worker("4", { run: "elsewhere" }));
  expect(pool.freeFor("r")).toEqual(["1", "3"]);
  pool.assign("r", "1", invited("r"));
  expect(pool.freeFor("r")).toEqual(["3"]);
  pool.release("r", "1");
  expect(pool.freeFor("r")).toEqual(["1", "3"]);
});

test("a worker is told what it has to do until its report shows it", async () => {
  const { pool, look } = poolOf();
  pool.join("r");
  pool.assign("r", "1", invited("r"));
  expect(await look(worker("1"))).toEqual({ 1: invited("r") });
  expect(await look(worker("1"))).toEqual({ 1: invited("r") });
  expect(await look(worker("1", { stage: "preparing" }))).toEqual({});
  const member: WorkerAssignment = { run: "r", generation: "1-g", job };
  pool.assign("r", "1", member);
  expect(await look(worker("1", { stage: "ready" }))).toEqual({ 1: member });
  expect(await look(worker("1", { stage: "training", generation: "1-g" }))).toEqual({});
});

test("whom its run has let go is told so, and whose run is over", async () => {
  const { pool, look } = poolOf();
  pool.join("r");
  pool.assign("r", "1", invited("r"));
  pool.release("r", "1");
  expect(await look(worker("1", {}))).toEqual({ 1: { run: null } });
  pool.assign("r", "1", invited("r"));
  pool.leave("r", true);
  expect(await look(worker("1", {}))).toEqual({ 1: { run: null } });
});

test("workers of a run that nobody conducts are left alone for a while: its coordinator may be changing", async () => {
  const { pool, look, clock } = poolOf();
  pool.join("other");
  expect(await look(worker("1", {}))).toEqual({});
  expect(pool.freeFor("other")).toEqual([]);
  clock.now = 19_000;
  expect(await look(worker("1", {}))).toEqual({});
  pool.join("r"); // taken over
  pool.assign("r", "1", { run: "r", generation: null, job });
  pool.leave("r", false); // handed over
  clock.now = 38_000;
  expect(await look(worker("1", {}))).toEqual({});
  clock.now = 60_000;
  expect(await look(worker("1", {}))).toEqual({ 1: { run: null } });
});

test("who has enough leaves workers to those who are short, and who came later to who came before", async () => {
  const { pool, look } = poolOf();
  for (const run of ["enough", "first", "second"]) pool.join(run);
  pool.setShort("first", 2);
  pool.setShort("second", 1);
  await look(worker("1"), worker("2"));
  expect(pool.freeFor("enough")).toEqual([]);
  expect(pool.freeFor("first")).toEqual(["1", "2"]);
  expect(pool.freeFor("second")).toEqual([]);
  pool.setShort("first", 3); // more than there are: it does not hold up the others
  expect(pool.freeFor("second")).toEqual(["1", "2"]);
  pool.setShort("second", 0);
  expect(pool.freeFor("enough")).toEqual(["1", "2"]);
});
