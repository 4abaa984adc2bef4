import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where browsers keep SwiftShader, a Vulkan driver that computes on the CPU. */
const DRIVERS = ["/usr/lib/chromium/vk_swiftshader_icd.json", "/usr/lib/chromium-browser/vk_swiftshader_icd.json"];

/**
 * Makes Vulkan of this process find a software driver. Native code reads the environment, and a vitest worker is a
 * process of its own, so this file must run before anything asks for a device.
 *
 * @returns  why there is none to find, else undefined
 */
export function useSoftwareGpu(): string | undefined {
  if (process.platform !== "linux") return "SwiftShader is looked for on Linux";
  const driver = process.env.VK_ICD_FILENAMES ?? DRIVERS.find(existsSync);
  if (!driver || !existsSync(driver)) return `no ${DRIVERS[0]}: on Debian, apt-get install chromium`;
  if (!hasLoader()) return "no libvulkan.so.1: on Debian, apt-get install libvulkan1";
  process.env.VK_ICD_FILENAMES = driver;
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), "gmc-vulkan-"));
  return undefined;
}

function hasLoader(): boolean {
  try {
    return execFileSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).includes("libvulkan.so.1");
  } catch {
    return false;
  }
}
