// Debian packages for what does not come from npm.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** True where packages may be installed: on Debian, as root. Not on Ubuntu, whose chromium is a snap. */
export function mayInstall() {
  return isDebian() && process.getuid() === 0;
}

/** Installs packages with apt; true when all are there afterwards. Standard output stays free for a command's own document. */
export function install(packages) {
  console.error(`Installing ${packages.join(", ")} ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args) => spawnSync("apt-get", ["-q", ...args], { env, stdio: ["ignore", 2, 2] }).status === 0;
  const add = () => apt("install", "-y", "--no-install-recommends", ...packages);
  return (apt("update") && add()) || add(); // a source that fails need not be the one that matters
}

/** True when a command starts and ends well. */
export function runs(command, ...args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

function isDebian() {
  return existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
}
