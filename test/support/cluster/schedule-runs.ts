import type { RunRecord } from "@gmc/experiment";
import { expect } from "vitest";
import { scheduleOf, trainUnder } from "./schedule.ts";
import type { WorkFolder } from "./small-run.ts";
import { runAlone, smallData, smallRun } from "./small-run.ts";
import { TestCluster } from "./test-cluster.ts";

/** Steps of the runs, over which a schedule's incidents are spread. */
const STEPS = 80;
const CONFIGS = {
  fp32: smallRun({ training: { epochs: 20 } }),
  bf16: smallRun({ training: { epochs: 20 }, cluster: { wire: "bf16" } }),
};

/** Runs under schedules of faults, on one cluster, beside the same runs in this process alone. */
export class ScheduleRuns {
  readonly folder: WorkFolder;
  readonly cluster: TestCluster;
  readonly #alone: Readonly<Record<"fp32" | "bf16", RunRecord>>;

  private constructor(folder: WorkFolder, cluster: TestCluster, alone: Readonly<Record<"fp32" | "bf16", RunRecord>>) {
    this.folder = folder;
    this.cluster = cluster;
    this.#alone = alone;
  }

  static async open(): Promise<ScheduleRuns> {
    const folder = await smallData();
    const cluster = await TestCluster.start({ folder: folder.path, separate: true });
    const fp32 = await runAlone(folder, CONFIGS.fp32, "alone-fp32");
    const bf16 = await runAlone(folder, CONFIGS.bf16, "alone-bf16");
    return new ScheduleRuns(folder, cluster, { fp32, bf16 });
  }

  /** Trains under the schedule of a seed and expects the bits of the run alone, and no key left. */
  async expectSame(seed: number): Promise<void> {
    const schedule = scheduleOf(seed, STEPS);
    const { wire } = schedule;
    const course = await trainUnder(this.cluster, schedule, CONFIGS[wire], this.folder.run(`seed-${seed}`));
    const shown = JSON.stringify({ schedule, events: course.events.filter(({ event }) => event !== "progress") });
    expect(course.record.weightsSha256, shown).toBe(this.#alone[wire].weightsSha256);
    expect(course.record.finalLoss, shown).toBe(this.#alone[wire].finalLoss);
    expect(await this.cluster.strayKeys(), shown).toEqual([]);
  }

  async close(): Promise<void> {
    await this.cluster.close();
    this.folder.close();
  }
}
