import { setTimeout as delay } from "node:timers/promises";
import { PROTOCOL_POINTS } from "@gmc/collectives";
import { integerAt, randomKey } from "@gmc/core";
import type { RunConfig } from "@gmc/experiment";
import { openConnection, parseRedisUrl } from "@gmc/redis";
import type { Fault } from "./messages.ts";
import type { Course, TestCluster } from "./test-cluster.ts";
import { TIMING } from "./test-cluster.ts";

/** What happens to a cluster while it trains, in no fixed order. */
export interface Schedule {
  readonly workers: number;
  readonly wire: "fp32" | "bf16";
  /** Faults of the workers that the run begins with, by place; a killed one is replaced. */
  readonly faults: readonly { readonly worker: number; readonly fault: Fault }[];
  /** What happens to the others once the run has come to a step. */
  readonly incidents: readonly { readonly step: number; readonly kind: Incident }[];
}

export type Incident = "coordinator killed" | "reduce restarted" | "connections dropped" | "worker leaves";

const INCIDENTS: readonly Incident[] = [
  "coordinator killed",
  "reduce restarted",
  "connections dropped",
  "worker leaves",
];

/** The schedule of a seed: two to four workers, one to three faults, up to two incidents. */
export function scheduleOf(seed: number, steps: number): Schedule {
  const key = randomKey(seed, "schedule");
  let drawn = 0;
  const draw = (bound: number): number => integerAt(key, drawn++, bound);
  const pick = <T>(items: readonly T[]): T => items[draw(items.length)] as T;
  const workers = 2 + draw(3);
  return {
    workers,
    wire: pick(["fp32", "bf16"]),
    faults: Array.from({ length: 1 + draw(3) }, () => ({
      worker: draw(workers),
      fault: { point: pick(PROTOCOL_POINTS), passes: draw(60), action: pick(["kill", "kill", "stop"] as const) },
    })),
    incidents: Array.from({ length: draw(3) }, () => ({ step: 5 + draw(steps - 15), kind: pick(INCIDENTS) })),
  };
}

/** Trains while the schedule happens. Faults at places that the run does not come to do not happen. */
export async function trainUnder(
  cluster: TestCluster,
  schedule: Schedule,
  config: RunConfig,
  out: string,
): Promise<Course> {
  const { workers, faults, incidents } = schedule;
  await cluster.haveWorkers(workers);
  const places = [...cluster.workers.values()];
  const following: Promise<unknown>[] = [];
  let over = false;
  const replaced = new Set<number>();
  for (const { worker, fault } of faults) {
    const victim = places[worker];
    if (!victim) continue;
    const reached = victim.fault({ ...fault });
    if (fault.action === "stop") {
      void reached.then(() => delay(2 * TIMING.ttlMs)).then(() => victim.signal("SIGCONT"));
    } else if (!replaced.has(worker)) {
      replaced.add(worker);
      void victim.ended.then(() => over || following.push(cluster.addWorker()));
    }
  }
  const left = [...incidents];
  const course = await cluster.follow(
    await cluster.submit({ config, out, workers: { min: workers, max: 4 } }),
    (event) => {
      if (event.event !== "progress") return;
      for (const due of left.filter(({ step }) => event.step >= step)) {
        left.splice(left.indexOf(due), 1);
        following.push(happen(cluster, due.kind));
      }
    },
  );
  over = true;
  await Promise.all(following);
  for (const victim of places) victim.child.connected && victim.child.send("disarm");
  return course;
}

async function happen(cluster: TestCluster, incident: Incident): Promise<void> {
  switch (incident) {
    case "coordinator killed":
      cluster.coordinator?.signal("SIGKILL");
      await cluster.startCoordinator();
      return;
    case "reduce restarted":
      await cluster.reduce?.restart();
      return;
    case "connections dropped":
      for (const { url } of [cluster.control, ...(cluster.reduce ? [cluster.reduce] : [])]) {
        const connection = await openConnection(parseRedisUrl(url));
        await connection.command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        connection.close();
      }
      return;
    case "worker leaves":
      await [...cluster.workers.values()].at(-1)?.close();
      await cluster.addWorker();
      return;
    default:
      return incident satisfies never;
  }
}
