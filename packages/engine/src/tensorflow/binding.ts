import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import util from "node:util";
import type { Logger } from "@gmc/core";
import { EnvironmentError, GmcError, TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import type { TensorflowDevice } from "../config.ts";
import { registerGradients } from "../trace/gradients.ts";
import type { TensorflowSettings } from "./environment.ts";
import { setEnvironment } from "./environment.ts";
import type { BindingPackage } from "./find-binding.ts";
import { BINDING_VERSION, findBinding, nativeLibrary } from "./find-binding.ts";
import { mendKernels } from "./mend-kernels.ts";

/** The name of tfjs-node's backend. */
export const TENSORFLOW_BACKEND = "tensorflow";

/** TensorFlow, loaded into this process. */
export interface Binding {
  readonly package: BindingPackage;
  /** "2.16.2" */
  readonly tensorflow: string;
  readonly settings: TensorflowSettings;
  /** Runs tfjs ops on TensorFlow, synchronously; tfjs's active backend is as before when it returns. @throws {TraceError} naming an op that cannot be run */
  run<T>(work: () => T): T;
}

/** What of the configuration decides how TensorFlow is loaded. */
export interface BindingRequest {
  /** `gpu:N` is the N-th card; auto is the first card where there is one that works, else the CPU. */
  readonly device: TensorflowDevice;
  /** 0: one a core. */
  readonly threads: number;
}

/** What of tfjs-node's backend is used beside tfjs's own interface. */
interface NodeBackend {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
}

let loading: Promise<Binding> | undefined;

/**
 * Resolves with TensorFlow as the configuration wants it, loaded at the first call. Threads and card are the process's: a later call
 * with other threads gets those of the first, with a warning.
 *
 * @throws {EnvironmentError} saying what was looked for, when there is no binding, it does not load, or the card is not to be had
 */
export async function openBinding(request: BindingRequest, logger: Logger): Promise<Binding> {
  const settings = settingsOf(request);
  loading ??= load(request, settings, logger);
  const loaded = await loading.catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  if (request.device !== "auto" && loaded.settings.card !== settings.card) {
    throw new EnvironmentError(
      `engine.device is "${request.device}", but TensorFlow already computes on ${deviceName(loaded.settings)} in this process, and it cannot change. Use another process for another device.`,
      { wanted: request.device, loaded: deviceName(loaded.settings) },
    );
  }
  if (loaded.settings.threads !== settings.threads) {
    logger.warn("engine.tensorflowThreads", { wanted: settings.threads, inUse: loaded.settings.threads });
  }
  return loaded;
}

const deviceName = ({ card }: TensorflowSettings): string => (card === undefined ? "the CPU" : `gpu:${card}`);

function settingsOf({ device, threads }: BindingRequest): TensorflowSettings {
  const card = device.startsWith("gpu:") ? Number(device.slice("gpu:".length)) : undefined;
  return { threads: threads || availableParallelism(), card };
}

async function load(request: BindingRequest, settings: TensorflowSettings, logger: Logger): Promise<Binding> {
  const binding = await loadFrom(choosePlace(request, settings), request);
  logger.info("engine.tensorflow", { package: binding.package, tensorflow: binding.tensorflow, ...binding.settings });
  return binding;
}

/** A binding that is there, and what it is to be loaded with. */
interface Choice {
  readonly name: BindingPackage;
  readonly folder: string;
  readonly settings: TensorflowSettings;
}

function choosePlace({ device }: BindingRequest, settings: TensorflowSettings): Choice {
  if (device === "auto") {
    const { package: name, folder } = findBinding("@tensorflow/tfjs-node-gpu");
    if (folder !== undefined) return { name, folder, settings: { ...settings, card: 0 } };
  }
  // The package for graphics cards computes on the CPU, too.
  const names: BindingPackage[] =
    settings.card === undefined
      ? ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"]
      : ["@tensorflow/tfjs-node-gpu"];
  const lookedFor: string[] = [];
  for (const name of names) {
    const place = findBinding(name);
    if (place.folder !== undefined) return { name, folder: place.folder, settings };
    lookedFor.push(...place.lookedFor);
  }
  const setup = `npm run setup:tensorflow${settings.card === undefined ? "" : " -- --gpu"}`;
  throw new EnvironmentError(
    `engine.kind is "tensorflow", but ${settings.card === undefined ? "its binding" : "the binding for graphics cards"} is not installed. Looked for: ${lookedFor.join("; ")}. Run "${setup}" in the repository, or "npm install ${names[0]}@${BINDING_VERSION}" in your project. Or set engine.kind to "onnxruntime".`,
    { lookedFor, setup },
  );
}

async function loadFrom({ name, folder, settings }: Choice, { device }: BindingRequest): Promise<Binding> {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  if (version !== BINDING_VERSION) {
    throw new EnvironmentError(
      `${name} in ${folder} is version ${version}; this engine works with ${BINDING_VERSION}: npm install ${name}@${BINDING_VERSION}`,
      { package: name, version, expected: BINDING_VERSION },
    );
  }
  setEnvironment(settings);
  const backend = await loadBackend(name, folder);
  if (settings.card !== undefined && !backend.isUsingGpuDevice && device !== "auto") {
    throw noCard(name, folder, settings);
  }
  mendKernels(TENSORFLOW_BACKEND);
  registerGradients();
  const used = backend.isUsingGpuDevice ? settings : { threads: settings.threads, card: undefined };
  return { package: name, tensorflow: backend.binding.TF_Version, settings: used, run };
}

/** In three pieces, a second in all, with the event loop between: heartbeats go on. */
async function loadBackend(name: BindingPackage, folder: string): Promise<NodeBackend> {
  restoreUtil();
  const load = createRequire(join(folder, "package.json"));
  try {
    shareCore(load);
    withoutRemarks(() => load("@tensorflow/tfjs"));
    await setImmediate();
    const library = nativeLibrary(folder);
    if (library !== undefined) load(library);
    await setImmediate();
    const previous = tf.getBackend() as string | null;
    withoutRemarks(() => load(folder)); // registers the backend, and makes it the active one
    const backend = tf.backend() as unknown as NodeBackend;
    if (previous && previous !== TENSORFLOW_BACKEND) void tf.setBackend(previous);
    return backend;
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new EnvironmentError(
      `${name} in ${folder} does not load: ${reason} Run "npm run setup:tensorflow -- --force" to make it again. Or set engine.kind to "onnxruntime".`,
      { package: name, folder, reason },
      { cause },
    );
  }
}

const noCard = (name: BindingPackage, folder: string, { card }: TensorflowSettings): EnvironmentError =>
  new EnvironmentError(
    `engine.device is "gpu:${card}", but TensorFlow finds no such card. Looked for: card ${card} of NVIDIA's driver (nvidia-smi lists them); CUDA and cuDNN where ${name} in ${folder} was built to find them (TF_CPP_MIN_LOG_LEVEL=0 prints which library is missing). In a container, hand the card in (--gpus all). Or set engine.device to "cpu".`,
    { device: `gpu:${card}`, package: name, folder },
  );

/** One tfjs-core in a process: the package gets the one that models and the tracer use, wherever it lies itself. */
function shareCore(theirs: NodeJS.Require): void {
  const ours = createRequire(import.meta.url);
  const own = ours.resolve("@tensorflow/tfjs-core");
  ours(own);
  const other = theirs.resolve("@tensorflow/tfjs-core");
  if (other !== own) ours.cache[other] = ours.cache[own];
}

/** The package brings tfjs's other backends along; what one registers that is there already is remarked upon, a hundred times. */
function withoutRemarks(work: () => void): void {
  const { warn } = console;
  console.warn = (...args: unknown[]) => {
    if (!/^The kernel '\w+' for backend '\w+' is already registered$/.test(String(args[0]))) warn(...args);
  };
  try {
    work();
  } finally {
    console.warn = warn;
  }
}

/** The package calls two functions that Node 23 removed. */
function restoreUtil(): void {
  const old = util as { isArray?: unknown; isNullOrUndefined?: unknown };
  old.isArray ??= Array.isArray;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
}

function run<T>(work: () => T): T {
  const previous = tf.getBackend() as string | null;
  if (previous !== TENSORFLOW_BACKEND) void tf.setBackend(TENSORFLOW_BACKEND); // takes effect at once
  try {
    return work();
  } catch (error) {
    throw explain(error);
  } finally {
    if (previous && previous !== TENSORFLOW_BACKEND) void tf.setBackend(previous);
  }
}

/** tfjs's own complaints about missing kernels and gradients, as errors that name the op and say what to do. */
function explain(error: unknown): unknown {
  if (error instanceof GmcError || !(error instanceof Error)) return error;
  const kernel = /Kernel '(\w+)' not registered/.exec(error.message)?.[1];
  if (kernel !== undefined) {
    return new TraceError(
      `TensorFlow's binding has no kernel for the op ${kernel}. Write it with other tfjs ops, or set engine.kind to "onnxruntime".`,
      { operation: kernel },
      { cause: error },
    );
  }
  return error;
}
