import type { Logger } from "@gmc/core";
import { EnvironmentError } from "@gmc/core";
import { openCApi } from "./c-api.ts";
import { openDevice } from "./device-runner.ts";
import { DeviceError } from "./device-search.ts";
import { openOnnxruntimeNode } from "./onnxruntime-node.ts";
import type { DeviceKind } from "./provider.ts";
import type { Runner } from "./runner.ts";

/** How onnxruntime is called: its C API without copies, or the npm package's own binding. Both compute the same bits. */
export type RunnerChoice = "auto" | "c-api" | "onnxruntime-node";

/** What a runner is opened for. */
export interface RunnerOptions {
  /** Of the CPU, that compute, all runs together; 0 for all cores. */
  readonly threads: number;
  /** Runs at once, where the runner can. */
  readonly replicas: number;
  /** Default: the CPU. */
  readonly device?: "cpu" | DeviceKind;
}

type Opener = (options: RunnerOptions, logger: Logger) => Promise<Runner>;

const OPENERS: Readonly<Record<Exclude<RunnerChoice, "auto">, Opener>> = {
  "c-api": ({ threads, replicas, device = "cpu" }, logger) =>
    device === "cpu" ? openCApi(threads, replicas) : openDevice(device, threads, logger),
  "onnxruntime-node": ({ threads, device = "cpu" }) => openOnnxruntimeNode(threads, device),
};

/**
 * The runner chosen; `auto` is the C API where it loads, else onnxruntime-node.
 *
 * @throws {EnvironmentError} when the chosen one, or none, loads on this machine, or the device is not to be had
 */
export async function openRunner(
  choice: RunnerChoice,
  options: RunnerOptions,
  logger: Logger,
  openers: Readonly<Record<Exclude<RunnerChoice, "auto">, Opener>> = OPENERS,
): Promise<Runner> {
  if (choice !== "auto") return openers[choice](options, logger);
  try {
    return await openers["c-api"](options, logger);
  } catch (error) {
    if (!(error instanceof EnvironmentError) || error instanceof DeviceError) throw error; // no other runner has a device either
    logger.warn("engine.runnerFallback", { runner: "onnxruntime-node", reason: error.message });
    return openers["onnxruntime-node"](options, logger);
  }
}
