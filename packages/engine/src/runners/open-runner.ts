import type { Logger } from "@gmc/core";
import { EnvironmentError } from "@gmc/core";
import { openCApi } from "./c-api.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import type { Runner } from "./runner.ts";

/** How onnxruntime is called: its C API without copies, or the npm package's own binding. Both compute the same bits. */
export type RunnerChoice = "auto" | "c-api" | "onnxruntime-node";

const OPENERS = { "c-api": openCApi, "onnxruntime-node": openOnnxruntimeNode };

/**
 * The runner chosen; `auto` is the C API where it loads, else onnxruntime-node.
 *
 * @param threads   that compute, all runs together; 0 for all cores
 * @param replicas  runs at once, where the runner can
 * @throws {EnvironmentError} when the chosen one, or none, loads on this machine
 */
export async function openRunner(
  choice: RunnerChoice,
  { threads, replicas }: { readonly threads: number; readonly replicas: number },
  logger: Logger,
  openers: Readonly<
    Record<Exclude<RunnerChoice, "auto">, (threads: number, replicas: number) => Promise<Runner>>
  > = OPENERS,
): Promise<Runner> {
  if (choice !== "auto") return openers[choice](threads, replicas);
  try {
    return await openers["c-api"](threads, replicas);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    logger.warn("engine.runnerFallback", { runner: "onnxruntime-node", reason: error.message });
    return openers["onnxruntime-node"](threads, replicas);
  }
}
