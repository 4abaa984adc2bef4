import type { ClusterRun, ClusterView } from "@gmc/jobs";
import type { WorkerReport } from "@gmc/protocol";
import { grouped, textTable } from "../text-table.ts";
import { counted } from "./members-text.ts";

/** A cluster as two tables: who computes, and what. */
export function clusterText(view: ClusterView): string {
  const { coordinator, workers, runs, finished, failed, samplesPerSecond } = view;
  const head = [
    coordinator === null ? "no coordinator" : `coordinator ${coordinator}`,
    counted(workers.length, "worker"),
    `${grouped(Math.round(samplesPerSecond))} samples/s`,
    `${counted(finished, "run")} finished`,
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(", ");
  const tables = [
    ...(workers.length > 0 ? [textTable([WORKERS, ...workers.map((worker) => workerRow(worker, runs))])] : []),
    ...(runs.length > 0 ? [textTable([RUNS, ...runs.map(runRow)])] : []),
    ...runs.flatMap(({ job, reason }) => (reason === undefined ? [] : [`${job} waits: ${reason}`])),
  ];
  return [head, ...tables].join("\n\n");
}

const WORKERS = ["worker", "host", "device", "threads", "state", "run", "step", "samples/s", "reduce ms", "gather ms"];
const RUNS = ["run", "name", "state", "workers", "generation", "step", "epoch", "loss", "samples/s"];

function workerRow({ id, host, device, threads, state, task }: WorkerReport, runs: readonly ClusterRun[]): string[] {
  const common = [id, host, device, String(threads)];
  if (!task) return [...common, state, "", "", "", "", ""];
  const { run, stage, progress } = task;
  const busy = state === "busy" ? stage : state;
  return [
    ...common,
    busy,
    run,
    progress ? grouped(progress.step) : "",
    progress ? grouped(Math.round(progress.samplesPerSecond * shareOf(id, run, runs))) : "",
    milliseconds(progress?.reduceMs),
    milliseconds(progress?.gatherMs),
  ];
}

/** The part of a run's shards that a worker has. */
function shareOf(worker: string, job: string, runs: readonly ClusterRun[]): number {
  const members = runs.find((run) => run.job === job)?.members ?? [];
  const shards = members.reduce((sum, member) => sum + member.shards.length, 0);
  const own = members.find((member) => member.worker === worker)?.shards.length ?? 0;
  return shards === 0 ? 0 : own / shards;
}

function runRow({ job, name, state, members, generation, progress }: ClusterRun): string[] {
  return [
    job,
    name,
    state,
    String(members.length),
    generation === undefined ? "" : String(generation),
    progress ? `${grouped(progress.step)}/${grouped(progress.steps)}` : "",
    progress ? `${progress.epoch}/${progress.epochs}` : "",
    progress ? progress.loss.toFixed(3) : "",
    progress ? grouped(Math.round(progress.samplesPerSecond)) : "",
  ];
}

const milliseconds = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(1));
