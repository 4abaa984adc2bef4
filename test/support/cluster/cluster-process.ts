import type { ProtocolHook } from "@gmc/collectives";
import { runCoordinator } from "@gmc/coordinator";
import { describeWorker, runWorker } from "@gmc/worker";
import { openDropoutTraining } from "./dropout-training.ts";
import type { Fault, FromProcess, ProcessOptions, ToProcess } from "./messages.ts";

/**
 * A worker or coordinator of a test, as a process of its own. It ends with the test, and where the test says so, it
 * kills or stops itself at a named point of the protocol.
 */
const options = JSON.parse(process.argv[2] ?? "{}") as ProcessOptions;
const say = (message: FromProcess): void => void process.send?.(message);
let faults: Fault[] = [];

const hook: ProtocolHook = (point, tag) => {
  for (const fault of faults) {
    if (fault.point !== point || (fault.tag !== undefined && !new RegExp(fault.tag).test(tag))) continue;
    if (--fault.passes >= 0) continue;
    faults = [];
    say({ at: point, tag });
    process.kill(process.pid, fault.action === "kill" ? "SIGKILL" : "SIGSTOP");
  }
};
const logger = options.verbose
  ? {
      info: (event: string, fields?: object) =>
        console.error(options.id ?? "coordinator", event, JSON.stringify(fields)),
      warn: (event: string, fields?: object) =>
        console.error(options.id ?? "coordinator", event, JSON.stringify(fields)),
    }
  : undefined;

const common = { redis: options.redis, ...(logger && { logger }) };
const running =
  options.role === "worker"
    ? runWorker({
        ...common,
        hook,
        open: openDropoutTraining,
        describe: async (id, threads) => {
          const facts = await describeWorker(id, threads);
          return { ...facts, bits: `${facts.bits}${options.bits ?? ""}` };
        },
        ...(options.id !== undefined && { id: options.id }),
        threads: 1,
        ...(options.store && { store: { ...options.store, folder: `copies-${options.id}` } }),
        ...(options.timing && { timing: options.timing }),
      })
    : runCoordinator({
        ...common,
        ...(options.reduce && { reduce: options.reduce }),
        ...(options.timing && { timing: options.timing }),
      });

process.on("message", (message: ToProcess) => {
  if (message === "close") void running.close();
  else if (message === "disarm") faults = [];
  else faults.push({ ...message });
});
process.on("disconnect", () => process.exit(0));
await running.ready;
say("ready");
await running.done;
process.disconnect?.();
