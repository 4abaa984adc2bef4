// What the full suite needs beside npm packages. On Debian as root it is installed when missing; elsewhere a line for each
// says which tests will be skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { install, mayInstall, runs } from "./debian.mjs";

const NEEDS = [
  {
    // SwiftShader, a Vulkan driver that computes on the CPU, lies in Debian's chromium; libvulkan1 is the loader.
    packages: ["chromium", "libvulkan1"],
    tests: "WebGPU tests and the tests of pages in a browser",
    ready: () => existsSync(process.env.VK_ICD_FILENAMES ?? "/usr/lib/chromium/vk_swiftshader_icd.json") && hasVulkan(),
  },
  {
    packages: ["redis-server"],
    tests: "tests of the collectives and clusters over Redis",
    ready: () => process.env.REDIS_URL !== undefined || runs("redis-server", "--version"),
  },
  {
    packages: ["g++", "python3", "python3-pip"],
    tests: "tests of the TensorFlow engine",
    ready: () => runs("g++", "--version") && runs("python3", "-m", "pip", "--version"),
  },
];

const missing = NEEDS.filter(({ ready }) => !ready());
if (missing.length > 0 && mayInstall()) install(missing.flatMap(({ packages }) => packages));
for (const { packages, tests } of missing.filter(({ ready }) => !ready())) {
  console.error(`The ${tests} will be skipped; on Debian they need: apt-get install ${packages.join(" ")}`);
}

setUpTensorflow();
startEngine();

/** Its libraries stay in the user's cache folder: 20 seconds the first time, one later. It says itself what is missing. */
function setUpTensorflow() {
  const script = fileURLToPath(new URL("setup-tensorflow.mjs", import.meta.url));
  if (spawnSync(process.execPath, [script], { stdio: ["ignore", 2, 2] }).status !== 0) {
    console.error("The tests of the TensorFlow engine will be skipped.");
  }
}

/** A Docker engine, where a script that starts one lies beside the repository; the first time on a machine it takes minutes. */
function startEngine() {
  if (runs("docker", "info") && runs("docker", "compose", "version")) return;
  const shared = process.env.GMC_SHARED ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const script = `${shared}/containers/engine.sh`;
  const { npm_config_ignore_scripts: _, ...env } = process.env; // ours; the images' packages need their install scripts
  const started =
    mayInstall() && existsSync(script) && spawnSync(script, ["up"], { stdio: ["ignore", 2, 2], env }).status === 0;
  if (!started) console.error("The tests of docker compose will be skipped: no Docker engine with compose answers.");
}

function hasVulkan() {
  return (spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).stdout ?? "").includes("libvulkan.so.1");
}
