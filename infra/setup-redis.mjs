// `npm run setup` also looks for redis-server, which a cluster on this machine starts: `gmc train --workers N`, `gmc cluster up`.
import { spawnSync } from "node:child_process";
import { install, mayInstall } from "./debian.mjs";

const OLDEST = 7;
const ADVICE =
  "Training on several workers (gmc train --workers N, gmc cluster up) needs redis-server 7.0 or newer:\n" +
  "  Debian, Ubuntu  sudo apt-get install redis-server\n" +
  "  Fedora          sudo dnf install redis\n" +
  "  macOS           brew install redis\n" +
  "or name a server that runs elsewhere: gmc train CONFIG --workers N --redis redis://:PASSWORD@HOST";

if (found() === undefined && mayInstall()) install(["redis-server"]);
const version = found();
if (version === undefined) console.error(ADVICE);
else if (Number.parseInt(version, 10) < OLDEST) console.error(`redis-server here is version ${version}. ${ADVICE}`);
else console.error(`redis-server ${version}: ready for several workers.`);

function found() {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return status === 0 ? /v=([\d.]+)/.exec(stdout)?.[1] : undefined;
}
