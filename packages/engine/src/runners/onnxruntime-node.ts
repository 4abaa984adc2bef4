import { availableParallelism } from "node:os";
import { EnvironmentError } from "@gmc/core";
import type * as Ort from "onnxruntime-node";
import type { Program, TensorSpec } from "../onnx/emit.ts";
import { sumsAsAdds } from "../onnx/sums-as-adds.ts";
import { pipelineOf } from "../run-tasks.ts";
import { allocateBlock, blockOf } from "./blocks.ts";
import { checkDevice, explainDevice } from "./device-search.ts";
import { checkProbe, PROBE } from "./probe.ts";
import type { DeviceKind } from "./provider.ts";
import { WEBGPU_OPTIONS } from "./provider.ts";
import type { Binding, PipelineTask, Place, Runner, Session } from "./runner.ts";
import { disableTelemetry } from "./telemetry.ts";

/**
 * Runs programs through the npm package onnxruntime-node. Its runs block the calling thread, and it copies every
 * output once more than needed; on a device, everything to and from it at every run. So runs take turns, each on all threads.
 *
 * @param threads  0 for all cores
 * @throws {EnvironmentError} when its native library does not load on this machine, or the device is not to be had
 */
export async function openOnnxruntimeNode(threads: number, device: "cpu" | DeviceKind = "cpu"): Promise<Runner> {
  const ort = await loadOnnxruntime();
  const open = async (program: Program): Promise<Session> => {
    const options = sessionOptions(device, threads || availableParallelism());
    return new OrtSession(ort, await ort.InferenceSession.create(program.bytes, options), program);
  };
  const common = {
    runsAtOnce: 1,
    programsAtOnce: 1,
    pipeline: (tasks: readonly PipelineTask[]) => pipelineOf(tasks, 1),
  };
  if (device === "cpu") return { ...common, name: "onnxruntime-node", open, close: () => {} };
  await checkDevice(device);
  try {
    const keeper = await open(PROBE); // the device stays open from one program to the next
    await checkProbe(keeper, device);
    const openAdding = (program: Program) => open(sumsAsAdds(program));
    return {
      ...common,
      name: `onnxruntime-node (${device})`,
      open: openAdding,
      close: () => keeper.release(),
    };
  } catch (error) {
    throw await explainDevice(device, error);
  }
}

async function loadOnnxruntime(): Promise<typeof Ort> {
  disableTelemetry();
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    throw new EnvironmentError(
      `onnxruntime-node does not load on ${process.platform} ${process.arch}: it needs 64-bit Linux (glibc), macOS or Windows. Run "npm install" again, or see \`gmc doctor\`.`,
      { platform: process.platform, arch: process.arch },
      { cause: error },
    );
  }
}

// No set_denormal_as_zero: it would change the floating-point mode of the calling thread, and with it what JavaScript computes
// there (docs/0003-c-api-runner.md).
const sessionOptions = (device: "cpu" | DeviceKind, threads: number): Ort.InferenceSession.SessionOptions => ({
  executionProviders: [device === "webgpu" ? { name: device, ...WEBGPU_OPTIONS } : device],
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  enableCpuMemArena: true, // without it every run pays for page faults
  logSeverityLevel: 3,
});

class OrtSession implements Session {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly #program: Program;

  constructor(ort: typeof Ort, session: Ort.InferenceSession, program: Program) {
    this.#ort = ort;
    this.#session = session;
    this.#program = program;
  }

  bind(blocks: ReadonlyMap<string, Place>): Binding {
    const feeds = this.#tensors(this.#program.inputs, blocks);
    const fetches = this.#tensors(this.#program.outputs, blocks);
    return {
      run: async () => {
        await this.#session.run(feeds, fetches);
      },
      release: () => {},
    };
  }

  place(spec: TensorSpec): Place {
    return allocateBlock(spec);
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #tensors(specs: readonly TensorSpec[], blocks: ReadonlyMap<string, Place>): Record<string, Ort.Tensor> {
    return Object.fromEntries(
      specs.map((spec) => {
        const block = blockOf(blocks, spec);
        return [spec.name, new this.#ort.Tensor(spec.dtype as "float32", block as Float32Array, spec.shape)];
      }),
    );
  }
}
