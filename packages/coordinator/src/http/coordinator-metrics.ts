import type { JobQueue } from "@gmc/jobs";
import { readCluster } from "@gmc/jobs";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** Metrics for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  /** As of now. */
  text(): Promise<string>;
}

/** What Prometheus is told of a cluster: looked up at every scrape, so that each coordinator, leading or not, says the same. */
export function coordinatorMetrics(queue: JobQueue): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register, prefix: "gmc_coordinator_" });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `gmc_${name}`, help, labelNames: [...labelNames], registers: [register] });
  const leads = gauge("cluster_has_leader", "1 while a coordinator leads the cluster");
  const workers = gauge("workers", "Workers that are alive", ["state"]);
  const runs = gauge("runs", "Runs that are not over", ["state"]);
  const finished = gauge("jobs_finished", "Jobs that finished, as far as the queue remembers them");
  const failed = gauge("jobs_failed", "Jobs that failed, as far as the queue remembers them");
  const speed = gauge("samples_per_second", "Samples a second of all runs together");
  const step = gauge("run_step", "Steps of a run that are done", ["run"]);
  const loss = gauge("run_loss", "Mean loss over the last steps of a run", ["run"]);
  const update = async (): Promise<void> => {
    const view = await readCluster(queue);
    leads.set(view.coordinator === null ? 0 : 1);
    for (const state of ["idle", "busy", "leaving"]) {
      workers.set({ state }, view.workers.filter((worker) => worker.state === state).length);
    }
    for (const state of ["waiting", "training"]) {
      runs.set({ state }, view.runs.filter((run) => run.state === state).length);
    }
    finished.set(view.finished);
    failed.set(view.failed);
    speed.set(view.samplesPerSecond);
    step.reset(); // runs that are over go
    loss.reset();
    for (const { job, progress } of view.runs) {
      if (!progress) continue;
      step.set({ run: job }, progress.step);
      loss.set({ run: job }, progress.loss);
    }
  };
  return {
    contentType: register.contentType,
    async text() {
      await update();
      return register.metrics();
    },
  };
}
