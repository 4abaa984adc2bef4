import type { Koffi, Pointer } from "./ort-library.ts";
import { importKoffi } from "./ort-library.ts";

/** What a graphics card is, as Vulkan says. `software`: a renderer on the CPU. */
export type AdapterType = "discrete" | "integrated" | "virtual" | "software" | "other";

/** A device that a graphics driver offers. */
export interface Adapter {
  readonly name: string;
  readonly type: AdapterType;
  /** Version of Vulkan. */
  readonly version: string;
}

/** The loader's library by platform; elsewhere onnxruntime's WebGPU does not use Vulkan. */
const LOADER = "libvulkan.so.1";
const CREATE_INSTANCE = 1; // VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
const INSTANCE_INFO_BYTES = 64;
const PROPERTIES_BYTES = 1024; // 824 in the specification
const TYPES: readonly AdapterType[] = ["other", "integrated", "discrete", "virtual", "software"];

/**
 * What the Vulkan drivers of this machine offer, by asking the loader as WebGPU does; the best first.
 *
 * @returns  why there is nothing to ask, where that is so
 */
export async function vulkanAdapters(): Promise<readonly Adapter[] | { readonly missing: string }> {
  if (process.platform !== "linux") return { missing: "WebGPU does not use Vulkan here" };
  const koffi = await importKoffi().catch(() => undefined);
  if (!koffi) return { missing: "the npm package koffi, to ask Vulkan, does not load" };
  let vulkan: ReturnType<Koffi["load"]>;
  try {
    vulkan = koffi.load(LOADER);
  } catch {
    return { missing: `${LOADER} (the Vulkan loader) does not load` };
  }
  const adapters = listAdapters(vulkan);
  return [...adapters].sort((a, b) => rank(a) - rank(b));
}

const rank = ({ type }: Adapter): number => ["discrete", "integrated", "virtual", "other", "software"].indexOf(type);

function listAdapters(vulkan: ReturnType<Koffi["load"]>): Adapter[] {
  const createInstance = vulkan.func("int vkCreateInstance(void *info, void *allocator, void *out)");
  const destroyInstance = vulkan.func("void vkDestroyInstance(void *instance, void *allocator)");
  const enumerate = vulkan.func("int vkEnumeratePhysicalDevices(void *instance, void *count, void *out)");
  const properties = vulkan.func("void vkGetPhysicalDeviceProperties(void *device, void *out)");
  const info = Buffer.alloc(INSTANCE_INFO_BYTES);
  info.writeInt32LE(CREATE_INSTANCE, 0);
  const out = new BigUint64Array(1);
  if (createInstance(info, null, out) !== 0) return []; // no driver, or none that works
  const instance: Pointer = out[0] ?? 0n;
  try {
    const count = new Uint32Array(1);
    enumerate(instance, count, null);
    const devices = new BigUint64Array(count[0] ?? 0);
    enumerate(instance, count, devices);
    return [...devices].map((device) => {
      const bytes = Buffer.alloc(PROPERTIES_BYTES);
      properties(device, bytes);
      return adapterOf(bytes);
    });
  } finally {
    destroyInstance(instance, null);
  }
}

/** From VkPhysicalDeviceProperties: five numbers, then a name of 256 bytes. */
function adapterOf(bytes: Buffer): Adapter {
  const version = bytes.readUInt32LE(0);
  const name = bytes.subarray(20, 20 + 256).toString("utf8");
  return {
    name: name.slice(0, Math.max(0, name.indexOf("\0"))),
    type: TYPES[bytes.readUInt32LE(16)] ?? "other",
    version: `${(version >>> 22) & 0x7f}.${(version >>> 12) & 0x3ff}.${version & 0xfff}`,
  };
}
