import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { initialTrainState } from "@gmc/core";
import type { DeviceFinding } from "@gmc/engine";
import { byteSize } from "./text-table.ts";

/** One thing a machine should have. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** True when training cannot work without it. */
  readonly needed: boolean;
  readonly found: string;
  /** Not there, and nothing that needs it. */
  readonly absent?: true;
  /** How to get it, where it is not ok. */
  readonly advice?: string;
}

const MEMORY_BYTES = 1.5e9; // the preset mhd at batch 64 with room to spare
const DISK_BYTES = 1e9;

/** @param folder  where runs would be written */
export async function examineMachine(folder: string): Promise<Finding[]> {
  return [
    nodeFinding(),
    await engineFinding(),
    ...(await deviceFindings()),
    memoryFinding(),
    processorFinding(),
    await diskFinding(folder),
    sharpFinding(),
  ];
}

function nodeFinding(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { name: "Node", ok, needed: true, found: node, advice: "Node 20.19 or newer: https://nodejs.org" };
}

/** Trains a tiny classifier for one step: native library, tracer and optimiser must all work, and the weights must move. */
async function engineFinding(): Promise<Finding> {
  const common = { name: "onnxruntime", needed: true };
  const advice =
    "Run npm install again; on Linux it needs glibc 2.28 or newer (x64 or arm64), elsewhere see onnxruntime-node's platforms.";
  try {
    const began = performance.now();
    await trainOneStep();
    return { ...common, ok: true, found: `trained a tiny model in ${Math.round(performance.now() - began)} ms` };
  } catch (error) {
    return { ...common, ok: false, found: firstLine(error), advice };
  }
}

/** Graphics cards, each by onnxruntime's way to it. None is needed, so none is missing. */
async function deviceFindings(): Promise<Finding[]> {
  try {
    const { findDevices } = await import("@gmc/engine");
    return (await findDevices()).map(deviceFinding);
  } catch {
    return []; // what is wrong with onnxruntime is a finding already
  }
}

function deviceFinding({ device, works, software, adapters, problem }: DeviceFinding): Finding {
  const cards = adapters.join(", ") || "a device that cannot be asked its name";
  const slow = software ? "; it is no graphics card and slower than engine.device cpu" : "";
  if (works) return { name: device, ok: true, needed: false, found: `works: ${cards}${slow}` };
  const { reason = "does not work", lookedFor = [], advice = "" } = problem ?? {};
  const found = `${reason}. Looked for: ${lookedFor.join("; ")}`;
  return { name: device, ok: true, needed: false, absent: true, found, advice };
}

async function trainOneStep(): Promise<void> {
  // Loaded here: a native library that cannot be loaded is a finding, not the end of the doctor.
  const { EngineConfig, openReplica } = await import("@gmc/engine");
  const { classifierModel } = await import("@gmc/models");
  const model = classifierModel({ inputDim: 2, widths: [4], classes: 2 });
  const replica = await openReplica(model, EngineConfig.parse({}));
  try {
    const state = initialTrainState(model, 0);
    await replica.write(state);
    const compiled = await replica.compile(2);
    await compiled.forward(0, { code: Float32Array.of(1, 0, 0, 1), target: Float32Array.of(1, 0, 0, 1) });
    const gradient = new Float32Array(state.parameters.length);
    await compiled.backward(0, { localWeight: 1 }, gradient);
    const rule = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    const { gradientNorm } = await replica.update(gradient, rule, new Float32Array(0));
    const moved = (await replica.read()).parameters.some((value, i) => value !== state.parameters[i]);
    if (!(gradientNorm > 0) || !moved) throw new Error("onnxruntime ran, but the step did not move the weights");
  } finally {
    await replica.close();
  }
}

function memoryFinding(): Finding {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return {
    name: "memory",
    ok: total >= MEMORY_BYTES,
    needed: false,
    found: `${byteSize(total)}, ${byteSize(freemem())} of it free`,
    advice: `The paper's model wants about ${byteSize(MEMORY_BYTES)}; a smaller one or a smaller batch needs less (gmc config FILE).`,
  };
}

function processorFinding(): Finding {
  const found = `${availableParallelism()} threads, ${cpus()[0]?.model.trim() ?? "unknown"}, ${process.platform} ${process.arch}`;
  return { name: "processor", ok: true, needed: false, found };
}

async function diskFinding(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const advice = `Runs and data sets want about ${byteSize(DISK_BYTES)} here; free some, or run gmc in another folder.`;
  return { name: "disk", ok: free >= DISK_BYTES, needed: false, found: `${byteSize(free)} free in ${folder}`, advice };
}

function sharpFinding(): Finding {
  const common = { name: "sharp", needed: false };
  try {
    const sharp: { versions?: { vips?: string } } = createRequire(import.meta.resolve("@gmc/data"))("sharp");
    return { ...common, ok: true, found: `libvips ${sharp.versions?.vips ?? "of unknown version"}` };
  } catch (error) {
    const advice = "Contact sheets and folders of images need it: npm install --include=optional sharp";
    return { ...common, ok: false, found: firstLine(error), advice };
  }
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
