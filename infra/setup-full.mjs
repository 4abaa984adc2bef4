// What the full suite needs beside npm packages: a Vulkan driver that computes on the CPU, so that WebGPU is tested without a
// graphics card. On Debian as root it is installed when missing; elsewhere one line says what will be skipped.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const PACKAGES = ["chromium", "libvulkan1"]; // SwiftShader lies in the one, the loader is the other
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";

if (process.platform === "linux" && !ready()) {
  const installed = isDebian() && process.getuid() === 0 && install() && ready();
  if (!installed) {
    console.error(
      `The WebGPU tests will be skipped: there is no software Vulkan driver. On Debian, as root: apt-get install --no-install-recommends ${PACKAGES.join(" ")}`,
    );
  }
}

function ready() {
  const loader = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" });
  const driver = process.env.VK_ICD_FILENAMES ?? DRIVER;
  return existsSync(driver) && (loader.stdout ?? "").includes("libvulkan.so.1");
}

/** Not Ubuntu, whose chromium is a snap. */
function isDebian() {
  return existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
}

function install() {
  console.error(`Installing ${PACKAGES.join(" and ")} for the WebGPU tests ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // `inherit` on stderr only: a command's standard output belongs to its own document.
  const apt = (...args) => spawnSync("apt-get", ["-q", ...args], { env, stdio: ["ignore", 2, 2] }).status === 0;
  const add = () => apt("install", "-y", "--no-install-recommends", ...PACKAGES);
  return (apt("update") && add()) || add(); // a source that fails need not be the one that matters
}
