import { access, constants, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { EnvironmentError } from "@gmc/core";
import { libraryFolder } from "./ort-library.ts";
import type { DeviceKind } from "./provider.ts";
import { PROVIDERS } from "./provider.ts";
import type { Adapter } from "./vulkan.ts";
import { vulkanAdapters } from "./vulkan.ts";

/** What was looked for on the way to a device. */
export interface Search {
  /** What a graphics driver offers, the best first; undefined where the platform does not let us ask. */
  readonly adapters?: readonly Adapter[];
  /** One sentence a thing. */
  readonly lookedFor: readonly string[];
  readonly advice: string;
}

/** Folders that the Vulkan loader reads beside what VK_DRIVER_FILES and VK_ICD_FILENAMES name. */
const ICD_FOLDERS = ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"];
const CARDS = "/sys/class/drm";
const DEVICE_FILES = "/dev/dri";
const CUDA_LIBRARY = { linux: "libonnxruntime_providers_cuda.so", win32: "onnxruntime_providers_cuda.dll" };

/** A device that the configuration names is not to be had on this machine; the message says what was looked for. */
export class DeviceError extends EnvironmentError {
  /** Why, in a few words. */
  readonly reason: string;
  readonly search: Search;

  constructor(kind: DeviceKind, reason: string, search: Search, options?: ErrorOptions) {
    const { lookedFor, advice } = search;
    super(
      `engine.device is "${kind}", but onnxruntime's ${PROVIDERS[kind].provider} does not work here: ${reason}. Looked for: ${lookedFor.join("; ")}. ${advice} Or set engine.device to "cpu".`,
      { device: kind, reason, lookedFor, advice },
      options,
    );
    this.reason = reason;
    this.search = search;
  }
}

/** onnxruntime-node's own script, from the folder of its libraries. */
const INSTALLER = "../../../../script/install.js";

/** Looks for everything that a device needs, without opening it. */
export const searchDevice = (kind: DeviceKind): Promise<Search> => (kind === "webgpu" ? searchWebgpu() : searchCuda());

/**
 * Sees that a device can be tried: without files and drivers the libraries print complaints before they fail.
 *
 * @throws {DeviceError}
 */
export async function checkDevice(kind: DeviceKind): Promise<void> {
  const reason = kind === "webgpu" ? await webgpuMissing() : await cudaMissing();
  if (reason !== undefined) throw await explainDevice(kind, new Error(reason));
}

async function webgpuMissing(): Promise<string | undefined> {
  const { adapters } = await searchDevice("webgpu");
  return adapters?.length === 0 ? "no Vulkan driver offers a device" : undefined;
}

const cudaMissing = async (): Promise<string | undefined> =>
  (await hasCudaLibrary()) ? undefined : "its library is not installed";

/** An error that says what was looked for, and what to do. */
export async function explainDevice(kind: DeviceKind, cause: unknown): Promise<EnvironmentError> {
  if (cause instanceof EnvironmentError) return cause; // koffi or the library
  const reason = cause instanceof Error ? firstLine(cause.message) : String(cause);
  return new DeviceError(kind, reason, await searchDevice(kind), { cause });
}

/** "NVIDIA H100 (discrete, Vulkan 1.3.277)" */
export const adapterText = ({ name, type, version }: Adapter): string => `${name} (${type}, Vulkan ${version})`;

async function searchWebgpu(): Promise<Search> {
  if (process.platform !== "linux") {
    const graphics = process.platform === "darwin" ? "Metal" : "Direct3D 12";
    return { lookedFor: [`a device of ${graphics}`], advice: "Update the graphics driver." };
  }
  const found = await vulkanAdapters();
  const adapters = "missing" in found ? [] : found;
  const drivers = (await Promise.all(ICD_FOLDERS.map(jsonFiles))).flat();
  const cards = await graphicsCards();
  return {
    adapters,
    lookedFor: [
      "missing" in found
        ? found.missing
        : `adapters that Vulkan's drivers offer: ${adapters.map(adapterText).join(", ") || "none"}`,
      `drivers (ICD files) in ${ICD_FOLDERS.join(", ")}: ${drivers.join(", ") || "none"} (VK_ICD_FILENAMES may name others)`,
      `graphics cards in ${CARDS}: ${cards.join(", ") || "none"}`,
      `device files in ${DEVICE_FILES}: ${(await deviceFiles()).join(", ") || "none"}`,
    ],
    advice: adapters.length > 0 ? "Update the graphics driver." : webgpuAdvice("missing" in found, cards.length > 0),
  };
}

function webgpuAdvice(loaderMissing: boolean, hasCard: boolean): string {
  const loader = loaderMissing ? "Install the Vulkan loader (Debian and Ubuntu: libvulkan1). " : "";
  const driver = hasCard
    ? "Install the card's Vulkan driver (mesa-vulkan-drivers for AMD and Intel, NVIDIA's own for NVIDIA) and see that this user may open the device files (group render)."
    : "In a container, hand the card in (--device /dev/dri, or --gpus all with NVIDIA_DRIVER_CAPABILITIES=all).";
  return `${loader}${driver}`;
}

async function searchCuda(): Promise<Search> {
  const file = CUDA_LIBRARY[process.platform as keyof typeof CUDA_LIBRARY];
  if (!file) return { lookedFor: ["a build of onnxruntime with CUDA"], advice: "CUDA exists for Linux and Windows." };
  const library = join(libraryFolder(), file);
  const there = await exists(library);
  return {
    lookedFor: [
      `${library}: ${there ? "found" : "missing"}`,
      "CUDA 12 and cuDNN 9 among the system's libraries",
      `NVIDIA's driver (/dev/nvidiactl): ${(await exists("/dev/nvidiactl")) ? "found" : "missing"}`,
    ],
    advice: there
      ? "Install CUDA 12, cuDNN 9 and NVIDIA's driver, or use webgpu."
      : `On Linux x64, "ONNXRUNTIME_NODE_INSTALL=cuda12 node ${join(libraryFolder(), INSTALLER)}" fetches it from nuget.org; elsewhere use webgpu.`,
  };
}

async function hasCudaLibrary(): Promise<boolean> {
  const file = CUDA_LIBRARY[process.platform as keyof typeof CUDA_LIBRARY];
  return file !== undefined && exists(join(libraryFolder(), file));
}

/** PCI vendor and device of every card: "10de:2330". */
async function graphicsCards(): Promise<string[]> {
  const entries = await readdir(CARDS).catch(() => []);
  const cards = entries.filter((entry) => /^card\d+$/.test(entry));
  const texts = cards.map(async (card) => {
    const id = (file: string) =>
      readFile(join(CARDS, card, "device", file), "utf8").then((text) => text.trim().slice(2));
    return Promise.all([id("vendor"), id("device")]).then(
      (ids) => ids.join(":"),
      () => card,
    );
  });
  return Promise.all(texts);
}

async function deviceFiles(): Promise<string[]> {
  const entries = await readdir(DEVICE_FILES).catch(() => []);
  const nodes = entries.filter((entry) => entry.startsWith("renderD"));
  return Promise.all(
    nodes.map(async (node) => {
      const path = join(DEVICE_FILES, node);
      const mayOpen = await access(path, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      );
      return mayOpen ? path : `${path} (this user may not open it)`;
    }),
  );
}

const jsonFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(".json")).map((file) => join(folder, file));

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const firstLine = (message: string): string => message.split("\n")[0] ?? "";
