import { initialTrainState } from "@gmc/core";
import type { DeviceFinding, EngineConfig, TensorflowFinding } from "@gmc/engine";
import type { Finding } from "./finding.ts";
import { firstLine } from "./finding.ts";

/** What the chosen setup computes with; the defaults where nothing was chosen. */
export type EngineChoice = Pick<EngineConfig, "kind" | "device" | "runner" | "threads">;

/** onnxruntime, its devices, TensorFlow's bindings. What the choice needs is needed. */
export async function engineFindings(choice: EngineChoice): Promise<Finding[]> {
  const tensorflow = await tensorflowFindings(choice);
  return [await onnxFinding(choice), ...(await deviceFindings(choice)), ...tensorflow];
}

/** The engine of the choice, tried by training a tiny model: library, device and optimiser must all work. */
export async function trainingFinding(choice: EngineChoice): Promise<Finding> {
  const common = { name: "training", needed: true };
  try {
    const { took, device } = await trainOneStep(choice);
    return { ...common, ok: true, found: `trained a tiny model with ${choice.kind} on ${device} in ${took} ms` };
  } catch (error) {
    return { ...common, ok: false, found: firstLine(error), advice: "See above what is missing." };
  }
}

const ONNXRUNTIME_ADVICE =
  "Run npm install again; on Linux it needs glibc 2.28 or newer (x64 or arm64), elsewhere see onnxruntime-node's platforms.";

async function onnxFinding({ kind, runner }: EngineChoice): Promise<Finding> {
  const common = { name: "onnxruntime", needed: kind === "onnxruntime" };
  try {
    const { took } = await trainOneStep({ kind: "onnxruntime", device: "cpu", runner, threads: 0 });
    return { ...common, ok: true, found: `trained a tiny model in ${took} ms` };
  } catch (error) {
    return { ...common, ok: false, found: firstLine(error), advice: ONNXRUNTIME_ADVICE };
  }
}

/** Graphics cards, each by onnxruntime's way to it. */
async function deviceFindings({ kind, device: wanted }: EngineChoice): Promise<Finding[]> {
  try {
    const { findDevices } = await import("@gmc/engine");
    return (await findDevices()).map((finding) =>
      deviceFinding(finding, kind === "onnxruntime" && wanted === finding.device),
    );
  } catch {
    return []; // what is wrong with onnxruntime is a finding already
  }
}

function deviceFinding({ device, works, software, adapters, problem }: DeviceFinding, needed: boolean): Finding {
  const cards = adapters.join(", ") || "a device that cannot be asked its name";
  const slow = software ? "; it is no graphics card and slower than engine.device cpu" : "";
  if (works) return { name: device, ok: true, needed, found: `works: ${cards}${slow}` };
  const { reason = "does not work", lookedFor = [], advice = "" } = problem ?? {};
  return missing({ name: device, needed, found: `${reason}. Looked for: ${lookedFor.join("; ")}`, advice });
}

async function tensorflowFindings({ kind, device }: EngineChoice): Promise<Finding[]> {
  try {
    const { findTensorflow } = await import("@gmc/engine");
    const findings = await findTensorflow();
    const onCard = device.startsWith("gpu:");
    const [cpu, gpu] = findings;
    const needed = (finding: TensorflowFinding) =>
      kind === "tensorflow" && (onCard ? finding === gpu : finding === cpu && gpu?.works !== true); // either computes on the CPU
    return findings.map((finding) => tensorflowFinding(finding, needed(finding), onCard));
  } catch (error) {
    const common = { name: "TensorFlow", needed: kind === "tensorflow", found: firstLine(error) };
    return [missing({ ...common, advice: "Run npm install again." })];
  }
}

function tensorflowFinding(finding: TensorflowFinding, needed: boolean, wantsCard: boolean): Finding {
  const { works, tensorflow, onCard, folder, problem } = finding;
  const name = finding.package.replace("@tensorflow/", "");
  const { reason = "does not work", lookedFor = [], advice = "" } = problem ?? {};
  if (!works) return missing({ name, needed, found: `${reason}. Looked for: ${lookedFor.join("; ")}`, advice });
  const found = `TensorFlow ${tensorflow} computes on ${onCard ? "a graphics card" : "the CPU"}, in ${folder}`;
  if (!needed || !wantsCard || onCard) return { name, ok: true, needed, found };
  return {
    name,
    needed,
    ok: false,
    found: `${found}; it finds no graphics card`,
    advice: "See NVIDIA above; TF_CPP_MIN_LOG_LEVEL=0 prints which library is missing.",
  };
}

/** Absent where nothing needs it. */
const missing = (finding: Omit<Finding, "ok" | "absent"> & { advice: string }): Finding =>
  finding.needed ? { ...finding, ok: false } : { ...finding, ok: true, absent: true };

async function trainOneStep(choice: EngineChoice): Promise<{ took: number; device: string }> {
  // Loaded here: a native library that cannot be loaded is a finding, not the end of the doctor.
  const { EngineConfig, openReplica } = await import("@gmc/engine");
  const { classifierModel } = await import("@gmc/models");
  const began = performance.now();
  const model = classifierModel({ inputDim: 2, widths: [4], classes: 2 });
  const replica = await openReplica(model, EngineConfig.parse(choice));
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
    if (!(gradientNorm > 0) || !moved) throw new Error(`${choice.kind} ran, but the step did not move the weights`);
    const { kind = "cpu", adapter, library } = replica.device ?? {};
    const device = [kind, adapter, library].filter((text) => text !== undefined).join(", ");
    return { took: Math.round(performance.now() - began), device };
  } finally {
    await replica.close();
  }
}
