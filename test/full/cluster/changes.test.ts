import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deleteRun } from "@gmc/collectives";
import type { RunRecord } from "@gmc/experiment";
import type { JobEvent, JobReport } from "@gmc/jobs";
import { cancelJob, readCluster, reportOf } from "@gmc/jobs";
import { runKeys } from "@gmc/protocol";
import { acquireLease, openConnection, openServer, parseRedisUrl, readRecord, releaseLease } from "@gmc/redis";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { WorkFolder } from "../../support/cluster/small-run.ts";
import { runAlone, smallData, smallRun } from "../../support/cluster/small-run.ts";
import type { Course, TestProcess } from "../../support/cluster/test-cluster.ts";
import { HANGS_MS, TestCluster, TIMING, WAIT } from "../../support/cluster/test-cluster.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`a run on a cluster${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder: WorkFolder;
  let cluster: TestCluster;
  let alone: RunRecord;
  /** 320 steps: time for something to happen. */
  const epochs = 80;
  const config = smallRun({ training: { epochs } });
  let runs = 0;
  let out = "";
  let job = "";

  beforeAll(async () => {
    folder = await smallData();
    cluster = await TestCluster.start({
      folder: folder.path,
      workers: 2,
      separate: true,
      control: { appendonly: "yes" },
    });
    alone = await runAlone(folder, config, "alone");
  });
  afterAll(async () => {
    await cluster?.close();
    folder?.close();
  });

  const expectSame = async ({ record }: Course) => {
    expect(record).toMatchObject({ status: "finished", steps: alone.steps, weightsSha256: alone.weightsSha256 });
    expect(record.finalLoss).toBe(alone.finalLoss);
    expect(await cluster.strayKeys()).toEqual([]);
  };
  /** Trains, and does something once when the run has come to a step. */
  async function trainAnd(
    step: number,
    act: () => Promise<unknown>,
    workers = { min: 2, max: 2 },
    trained = config,
  ): Promise<Course> {
    out = folder.run(`run-${++runs}`);
    job = await cluster.submit({ config: trained, out, workers });
    let done: Promise<unknown> | undefined;
    const course = await cluster.follow(job, (event) => {
      if (event.event === "progress" && event.step >= step) done ??= act();
    });
    expect(done, "it happened before the end").toBeDefined();
    await done;
    return course;
  }
  const firstRank = (): TestProcess => [...cluster.workers.values()][0] ?? fail();
  const fail = (): never => {
    throw new Error("no worker");
  };
  const resultIsThere = async (): Promise<boolean> =>
    (await cluster.queue.control.command(["EXISTS", runKeys(job).result])) === 1;
  const causes = ({ events }: Course): string[] =>
    events.flatMap((event) => (event.event === "generation" ? [event.cause] : []));

  test("goes on after a worker was stopped for longer than its time to live, and continued", async () => {
    const stopped: TestProcess = firstRank();
    const armed = stopped.fault({ point: "commit:before", tag: "^40", passes: 0, action: "stop" });
    let continued = false;
    const job = await cluster.submit({ config, out: folder.run("stopped"), workers: { min: 2, max: 2 } });
    const course = await cluster.follow(job, async (event) => {
      if (event.event !== "generation" || continued) return;
      continued = true;
      await armed;
      stopped.signal("SIGCONT");
    });
    await expectSame(course);
    expect(causes(course)[0]).toContain("silent");
  });

  test("takes in a worker in the middle", async () => {
    const [late] = [...cluster.workers.values()].slice(1);
    late?.signal("SIGSTOP");
    await until(async () => (await readCluster(cluster.queue)).workers.length === 1);
    const course = await trainAnd(20, async () => late?.signal("SIGCONT"), { min: 1, max: 4 });
    await expectSame(course);
    expect(causes(course).join()).toContain("joined");
    expect(course.record.workers).toBe(2);
  });

  test("lets a worker go that leaves in good order, without waiting for its death", async () => {
    const course = await trainAnd(20, () => firstRank().close());
    await expectSame(course);
    expect(causes(course)[0]).toContain("leaves");
    await cluster.haveWorkers(2);
  });

  test("goes on after the coordinator was killed and another one started", async () => {
    const course = await trainAnd(20, async () => {
      cluster.coordinator?.signal("SIGKILL");
      await cluster.startCoordinator();
    });
    await expectSame(course);
    expect(course.record.generations).toBe(1);
  });

  test("goes on after coordinator and a worker were killed together", async () => {
    const course = await trainAnd(20, async () => {
      cluster.coordinator?.signal("SIGKILL");
      firstRank().signal("SIGKILL");
      await cluster.startCoordinator();
    });
    await expectSame(course);
    expect(course.record.generations).toBe(2);
    await cluster.haveWorkers(2);
  });

  test("goes on, in the same generation, after the coordinator was stopped for longer than its lease", async () => {
    const course = await trainAnd(20, async () => {
      const stopped = cluster.coordinator ?? fail();
      stopped.signal("SIGSTOP");
      await delay(2 * TIMING.leaseMs);
      stopped.signal("SIGCONT");
    });
    await expectSame(course);
    expect(course.record.generations).toBe(1);
  });

  test("ends once when it has ended while the coordinator slept and its job's lock ran out", async () => {
    const course = await trainAnd(20, async () => {
      const stopped = cluster.coordinator ?? fail();
      stopped.signal("SIGSTOP");
      await until(resultIsThere);
      await delay(2 * TIMING.leaseMs);
      stopped.signal("SIGCONT");
    });
    await expectSame(course);
  });

  test("ends once when another coordinator has ended it while the first one slept", async () => {
    const first = cluster.coordinator ?? fail();
    await cluster.startCoordinator(); // stands by
    const course = await trainAnd(20, async () => first.signal("SIGSTOP"));
    first.signal("SIGCONT");
    await delay(2 * TIMING.leaseMs);
    await expectSame(course);
    expect(course.record.generations).toBe(1);
    await first.close();
  });

  test("goes on under the same conductor when its job's lock is lost and the queue gives the job once more", async () => {
    const { train } = cluster.queue;
    const course = await trainAnd(10, () => cluster.queue.control.command(["DEL", train.toKey(`${job}:lock`)]));
    await expectSame(course);
    expect(course.record.generations).toBe(1);
    expect((await train.getJob(job))?.attemptsStarted).toBe(2);
  });

  describe("is not begun anew by a conductor who was given the job before the last one told its end", () => {
    /** Takes the run from the cluster's conductor, who gets the job once more and waits, and tells `end` in its place. */
    async function tellInstead(end: (record: RunRecord) => Partial<JobReport>): Promise<void> {
      const { control, train } = cluster.queue;
      const keys = runKeys(job);
      await control.command(["DEL", keys.lease("coordinator")]);
      const last = (await acquireLease(control, keys.lease("coordinator"), "last", HANGS_MS)) ?? fail();
      await until(resultIsThere);
      const { value } = (await readRecord(control, keys.result)) ?? fail();
      const given = (await train.getJob(job)) ?? fail();
      await given.updateProgress({ ...reportOf(given), ...end(JSON.parse(value).record) });
      const reduce = await openServer(cluster.reduce?.url ?? fail(), "reduce");
      await deleteRun([control, reduce], job);
      reduce.close();
      await releaseLease(control, last);
    }

    test("with its result", async () => {
      const course = await trainAnd(20, () => tellInstead((result) => ({ result })));
      await expectSame(course);
      expect(course.record.generations).toBe(1);
    });

    test("with what it failed with", async () => {
      const error = { code: "ERR_USAGE", message: "told last", details: {} };
      await expect(trainAnd(20, () => tellInstead(() => ({ error })))).rejects.toMatchObject({ error });
      expect(await cluster.strayKeys()).toEqual([]);
    });
  });

  test("is adopted by a coordinator that stood by", async () => {
    const leading = cluster.coordinator ?? fail();
    await cluster.startCoordinator(); // stands by
    const course = await trainAnd(20, async () => leading.signal("SIGKILL"));
    await expectSame(course);
    expect(course.record.generations).toBe(1);
    expect((await readCluster(cluster.queue)).coordinator).not.toBe(null);
  });

  test("goes on after both servers have dropped every connection", async () => {
    const course = await trainAnd(20, async () => {
      for (const { url } of [cluster.control, cluster.reduce ?? fail()]) {
        const connection = await openConnection(parseRedisUrl(url));
        await connection.command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        connection.close();
      }
    });
    await expectSame(course);
  });

  test("goes on in a new generation after the reduce server was restarted empty", async () => {
    const course = await trainAnd(20, () => cluster.reduce?.restart() ?? fail());
    await expectSame(course);
    expect(course.record.generations).toBeGreaterThan(1);
  });

  test("goes on after the control server was killed and has come back with its append-only file", async () => {
    const course = await trainAnd(20, () => cluster.control.restart());
    await expectSame(course);
    expect(course.record.generations).toBeGreaterThan(1);
  });

  test("goes on after the control server has lost its last commits, from what its workers know", async () => {
    const { client } = cluster.queue.control;
    const key = () => runKeys(job).commit;
    let kept: Buffer | undefined;
    const course = await trainAnd(20, async () => {
      kept = await client.dumpBuffer(key());
      await until(
        async () => Number(await client.hget(key(), "version")?.then((name) => parseInt(name ?? "0", 10))) > 60,
      );
      await client.restore(key(), 0, kept, "REPLACE");
    });
    await expectSame(course);
    expect(course.record.generations).toBeGreaterThan(1);
  });

  test("goes on from its checkpoint with other workers after all have died", async () => {
    const course = await trainAnd(30, async () => {
      for (const worker of cluster.workers.values()) worker.signal("SIGKILL");
      await until(async () => cluster.workers.size === 0);
      await cluster.haveWorkers(2);
    });
    await expectSame(course);
    expect(course.events.map(({ event }) => event)).toContain("waiting");
    expect(existsSync(join(out, "checkpoints/last.json"))).toBe(true);
  });

  test("goes on where it was when all workers left in good order and others came", async () => {
    let left = 0;
    const rare = smallRun({
      training: { epochs, checkpoint: { everyEpochs: 1000 }, validation: { fraction: 0.25 } },
    });
    const course = await trainAnd(
      30,
      async () => {
        await Promise.all([...cluster.workers.values()].map((worker) => worker.close()));
        left = JSON.parse(readFileSync(join(out, "checkpoints/last.json"), "utf8")).step;
        await cluster.haveWorkers(2);
      },
      { min: 2, max: 2 },
      rare,
    );
    await expectSame(course);
    expect(left).toBeGreaterThanOrEqual(30); // no epoch's end asked for it
    expect(causes(course).join()).toContain("it leaves a checkpoint");
  });

  test("that is cancelled leaves a checkpoint, no key and no worker busy, and resumes to the same bits", async () => {
    let requested: string | undefined;
    const job = await cluster.submit({ config, out: folder.run("cancelled"), workers: { min: 2, max: 2 } });
    const stopped = await cluster.follow(job, async (event) => {
      if (event.event === "progress" && event.step >= 20) requested ??= await cancelJob(cluster.queue, job);
    });
    expect(requested).toBe("requested");
    expect(stopped.record.status).toBe("stopped");
    expect(stopped.record.steps).toBeLessThan(alone.steps);
    expect(await cluster.strayKeys()).toEqual([]);
    await until(async () => (await readCluster(cluster.queue)).workers.every(({ state }) => state === "idle"));
    const rest = await cluster.train(config, folder.run("cancelled"), 2, { resume: true });
    await expectSame(rest);
    expect(await cancelJob(cluster.queue, job)).toBe("ended");
  });

  test("that never began is cancelled with nothing written", async () => {
    const job = await cluster.submit({ config, out: folder.run("never"), workers: { min: 4, max: 4 } });
    const events: JobEvent[] = [];
    const ended = cluster.follow(job, async (event) => {
      events.push(event);
      if (event.event === "waiting") await cancelJob(cluster.queue, job);
    });
    await expect(ended).rejects.toMatchObject({ error: { code: "ERR_CANCELLED" } });
    expect(events[0]).toMatchObject({ event: "waiting", reason: expect.stringContaining("waits for 4 workers") });
    expect(existsSync(folder.run("never"))).toBe(false);
    expect(await cluster.strayKeys()).toEqual([]);
  });

  test("fails with a clear message when the control server has lost everything, and resumes to the same bits", async () => {
    const lost = trainAnd(30, async () => {
      await cluster.queue.control.command(["FLUSHALL"]);
      await cluster.control.restart();
    });
    await expect(lost).rejects.toThrow(/lost|does not know/);
    await expect(lost).rejects.toThrow(/--resume/);
    await until(async () => {
      const { workers, coordinator } = await readCluster(cluster.queue);
      return coordinator !== null && workers.length === 2 && workers.every(({ state }) => state === "idle");
    });
    expect(await cluster.strayKeys()).toEqual([]);
    await expectSame(await cluster.train(config, out, 2, { resume: true }));
  });
});

const until = (holds: () => Promise<boolean>): Promise<void> =>
  vi.waitFor(async () => expect(await holds()).toBe(true), WAIT);
