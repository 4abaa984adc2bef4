// What the full suite needs beside npm packages. On Debian as root it is installed when missing; elsewhere a line for each
// says which tests will be skipped.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const NEEDS = [
  {
    // SwiftShader, a Vulkan driver that computes on the CPU, lies in Debian's chromium; libvulkan1 is the loader.
    packages: ["chromium", "libvulkan1"],
    tests: "WebGPU tests and the tests of pages in a browser",
    ready: () => existsSync(process.env.VK_ICD_FILENAMES ?? "/usr/lib/chromium/vk_swiftshader_icd.json") && hasVulkan(),
  },
  {
    packages: ["redis-server"],
    tests: "tests of the collectives over Redis",
    ready: () => process.env.REDIS_URL !== undefined || runs("redis-server", "--version"),
  },
];

const missing = NEEDS.filter(({ ready }) => !ready());
if (missing.length > 0 && isDebian() && process.getuid() === 0) install(missing.flatMap(({ packages }) => packages));
for (const { packages, tests } of missing.filter(({ ready }) => !ready())) {
  console.error(`The ${tests} will be skipped; on Debian they need: apt-get install ${packages.join(" ")}`);
}

function hasVulkan() {
  return (spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).stdout ?? "").includes("libvulkan.so.1");
}

function runs(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Not Ubuntu, whose chromium is a snap. */
function isDebian() {
  return existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
}

function install(packages) {
  console.error(`Installing ${packages.join(", ")} for the full suite ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // `inherit` on stderr only: a command's standard output belongs to its own document.
  const apt = (...args) => spawnSync("apt-get", ["-q", ...args], { env, stdio: ["ignore", 2, 2] }).status === 0;
  const add = () => apt("install", "-y", "--no-install-recommends", ...packages);
  return (apt("update") && add()) || add(); // a source that fails need not be the one that matters
}
