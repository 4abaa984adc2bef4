import type { ComputeDevice, Logger } from "@gmc/core";
import { EnvironmentError } from "@gmc/core";
import type { OnnxDevice } from "./config.ts";
import { openDevice } from "./runners/device-runner.ts";
import { adapterText, DeviceError, searchDevice } from "./runners/device-search.ts";
import type { DeviceKind } from "./runners/provider.ts";

/** What is known of a device on this machine. */
export interface DeviceFinding {
  readonly device: DeviceKind;
  /** It was opened, and computed a small sum right. */
  readonly works: boolean;
  /** A renderer on the CPU: it computes the same, slowly. `auto` passes it over. */
  readonly software: boolean;
  /** Cards and their drivers, the best first, where they can be asked. */
  readonly adapters: readonly string[];
  /** Why it does not work. */
  readonly problem?: { readonly reason: string; readonly lookedFor: readonly string[]; readonly advice: string };
}

/** Every device beside the CPU: looked for, and tried. @throws {EnvironmentError} when onnxruntime itself does not load */
export const findDevices = async (): Promise<readonly DeviceFinding[]> => [
  await findDevice("cuda"),
  await findDevice("webgpu"),
];

/**
 * The device that `wanted` stands for; `auto` is cuda, else webgpu on a real card, else the CPU. Anything but plain `cpu`
 * is logged. Whether a device that was asked for by name works shows when it is opened.
 */
export async function chooseDevice(wanted: OnnxDevice, logger: Logger): Promise<ComputeDevice> {
  if (wanted === "cpu") return { kind: "cpu" };
  const device = wanted === "auto" ? await automaticDevice() : await describe(wanted);
  logger.info("engine.device", { wanted, ...device });
  return device;
}

async function automaticDevice(): Promise<ComputeDevice> {
  if (await works("cuda")) return describe("cuda");
  const { adapters } = await searchDevice("webgpu");
  const real = adapters?.some(({ type }) => type !== "software") ?? true; // where nobody can ask, it is tried
  return real && (await works("webgpu")) ? describe("webgpu") : { kind: "cpu" };
}

/** False, too, where the C API does not load: then there is a CPU at best. */
const works = (device: DeviceKind): Promise<boolean> =>
  findDevice(device).then(
    (finding) => finding.works,
    (error: unknown) => {
      if (error instanceof EnvironmentError) return false;
      throw error;
    },
  );

async function describe(kind: DeviceKind): Promise<ComputeDevice> {
  const { adapters } = await searchDevice(kind);
  const [best] = adapters ?? [];
  return best ? { kind, adapter: adapterText(best) } : { kind };
}

async function findDevice(device: DeviceKind): Promise<DeviceFinding> {
  const { adapters = [] } = await searchDevice(device);
  const common = { device, adapters: adapters.map(adapterText), software: adapters[0]?.type === "software" };
  try {
    await (await openDevice(device, 1)).close();
    return { ...common, works: true };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    const { reason, search } = error;
    return { ...common, works: false, problem: { reason, lookedFor: search.lookedFor, advice: search.advice } };
  }
}
