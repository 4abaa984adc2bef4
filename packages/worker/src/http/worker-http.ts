import type { IncomingMessage, ServerResponse } from "node:http";
import { sendText } from "@gmc/storage";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { RunningWorker } from "../run-worker.ts";

/** Answers `/healthz` and `/metrics` of a worker; false where the path is neither. */
export function workerHttp(
  worker: Pick<RunningWorker, "id" | "health">,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const metrics = workerMetrics(worker);
  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/healthz") sendHealth(worker, response);
    else if (pathname === "/metrics") void sendMetrics(metrics, response);
    else return false;
    return true;
  };
}

/** 200 while the cluster hears this worker. */
function sendHealth({ id, health }: Pick<RunningWorker, "id" | "health">, response: ServerResponse): void {
  const { isHealthy, sinceBeatMs, report } = health;
  const since = Number.isFinite(sinceBeatMs) ? Math.round(sinceBeatMs) : null;
  const status = isHealthy ? "ok" : "unhealthy";
  const body = { status, worker: id, state: report?.state ?? "starting", sinceBeatMs: since };
  sendText(response, isHealthy ? 200 : 503, `${JSON.stringify(body)}\n`, "application/json");
}

async function sendMetrics(register: Registry, response: ServerResponse): Promise<void> {
  const text = await register.metrics();
  response.setHeader("content-type", register.contentType);
  response.end(text);
}

function workerMetrics(worker: Pick<RunningWorker, "id" | "health">): Registry {
  const register = new Registry();
  register.setDefaultLabels({ worker: worker.id });
  collectDefaultMetrics({ register, prefix: "gmc_worker_" });
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name: `gmc_worker_${name}`,
      help,
      registers: [register],
      collect() {
        this.set(read() ?? 0);
      },
    });
  const progress = () => worker.health.report?.task?.progress;
  gauge("healthy", "1 while the cluster hears this worker", () => Number(worker.health.isHealthy));
  gauge("busy", "1 while it takes part in a run", () => Number(worker.health.report?.state === "busy"));
  gauge("run_step", "Steps of its run that are done", () => progress()?.step);
  gauge("run_loss", "Mean loss over the last steps of its run", () => progress()?.loss);
  gauge(
    "run_samples_per_second",
    "Samples a second of its run, all workers together",
    () => progress()?.samplesPerSecond,
  );
  gauge("reduce_ms", "Mean ms a step that gradients were reduced", () => progress()?.reduceMs);
  gauge("gather_ms", "Mean ms a step that blocks were gathered", () => progress()?.gatherMs);
  return register;
}
