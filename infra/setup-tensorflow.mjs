// `npm run setup:tensorflow [-- --gpu] [-- --force]`: TensorFlow for `engine.kind: tensorflow`. See infra/README.md.
//
// The binding is an optional peer dependency, so it does not stand in the lock file, and `npm ci` would take it out of
// node_modules again. It lies in the user's cache folder, where the engine finds it:
//
//     GMC_TENSORFLOW, GMC_CACHE/tensorflow or <cache>/gmc/tensorflow/
//       tfjs-node-4.22.0-linux-x64/       (or tfjs-node-gpu-…)
//         node_modules/                   the package and its dependencies (infra/tensorflow/cpu or gpu, by its lock file)
//         tensorflow/, nvidia/            the wheels' libraries; the binding finds them relative to itself
//         setup.json                      which road, which TensorFlow, sha256 of every library
//
// Two roads: the package's own download (libtensorflow 2.9, CUDA 11.2); where that host cannot be reached, or that
// TensorFlow does not serve the card, the package's N-API source compiled against the TensorFlow of a wheel from PyPI.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { KINDS, PACKAGE_VERSION, WHEEL_TAGS } from "./tensorflow/pins.mjs";

/** What a person can do something about. */
class Problem extends Error {}

const here = fileURLToPath(new URL("tensorflow/", import.meta.url));
const options = process.argv.slice(2);
const unknown = options.filter((option) => !["--gpu", "--force"].includes(option));
if (unknown.length > 0)
  fail(`Unknown: ${unknown.join(" ")}. Usage: npm run setup:tensorflow [-- --gpu] [-- --force]`, 2);
const kind = options.includes("--gpu") ? "gpu" : "cpu";
const pins = KINDS[kind];
const folder = join(cacheFolder(), `${basename(pins.package)}-${PACKAGE_VERSION}-${process.platform}-${process.arch}`);

if (!options.includes("--force") && isIntact(folder)) report(`is there already, unchanged`, prove(folder));
else await make();

async function make() {
  const started = Date.now();
  const work = `${folder}.making-${process.pid}`;
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work, { recursive: true });
  let problem;
  try {
    say(`Installing ${pins.package} ${PACKAGE_VERSION} in ${folder} ...`);
    for (const file of ["package.json", "package-lock.json"]) fs.copyFileSync(join(here, kind, file), join(work, file));
    npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], work);
    const road = (await ownDownload(work)) ?? fromWheels(work);
    const proof = prove(work);
    fs.writeFileSync(
      join(work, "setup.json"),
      `${JSON.stringify({ road, ...proof, sha256: digests(work) }, null, 2)}\n`,
    );
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(work, folder);
    report(`made in ${Math.round((Date.now() - started) / 1000)} s (${road})`, proof);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem = error.message;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
  if (problem !== undefined) fail(problem, 1);
}

// ---- The package's own download ----

/** The road's name, or undefined where it does not lead anywhere; then it says why. */
async function ownDownload(work) {
  const reason =
    (await unreachable("https://storage.googleapis.com/tensorflow/")) ?? (kind === "gpu" ? unservedCard() : undefined);
  if (reason !== undefined) {
    say(`The package's own download is passed over: ${reason}.`);
    return undefined;
  }
  const cwd = packageFolder(work);
  const env = { ...process.env, PATH: `${join(work, "node_modules/.bin")}${delimiter}${process.env.PATH}` };
  const args = ["scripts/install.js", ...(kind === "gpu" ? ["gpu"] : [])];
  const { status } = spawnSync(process.execPath, args, { cwd, env, stdio: ["ignore", 2, 2], timeout: 600_000 });
  if (status === 0 && tryProof(work).ok) return "the package's own download";
  say("The package's own download did not give a binding that works.");
  fs.rmSync(join(cwd, "deps"), { recursive: true, force: true });
  fs.rmSync(join(cwd, "lib"), { recursive: true, force: true });
  return undefined;
}

/** Why a host cannot be reached; undefined where it can, or where only a proxy would know. */
async function unreachable(url) {
  if (process.env.HTTPS_PROXY || process.env.https_proxy) return undefined;
  return fetch(url, { method: "HEAD", signal: AbortSignal.timeout(8000) }).then(
    () => undefined,
    (error) => `${new URL(url).host} cannot be reached (${error.cause?.code ?? error.message})`,
  );
}

/** Why libtensorflow 2.9 does not compute on this machine's card: it wants CUDA 11.2 and knows nothing newer than compute capability 8.6. */
function unservedCard() {
  const libraries = run("/sbin/ldconfig", ["-p"]).stdout;
  if (!libraries.includes("libcudart.so.11.0") || !libraries.includes("libcudnn.so.8"))
    return "it needs CUDA 11.2 and cuDNN 8.1, which are not installed";
  const newest = Math.max(
    ...run("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"]).stdout.split("\n").map(Number),
  );
  return newest > 8.6 ? `the card's compute capability ${newest} is newer than its CUDA 11.2` : undefined;
}

// ---- Wheels ----

function fromWheels(work) {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Problem(
      `There are wheels for Linux x64 only, this is ${process.platform} ${process.arch}: install ${pins.package} where its own download can be reached, or use engine.kind: onnxruntime.`,
    );
  }
  for (const [command, packages] of [
    ["g++", "g++"],
    ["python3", "python3 python3-pip"],
  ]) {
    if (run(command, ["--version"]).status !== 0)
      throw new Problem(`${command} is missing (Debian, Ubuntu: apt-get install ${packages}).`);
  }
  say(`Fetching TensorFlow ${pins.tensorflow} from PyPI: ${pins.download}, ${pins.disk} on disk ...`);
  downloadWheels(work);
  for (const wheel of fs.readdirSync(join(work, "wheels"))) unpack(join(work, "wheels", wheel), work);
  fs.rmSync(join(work, "wheels"), { recursive: true });
  compile(work);
  fs.rmSync(join(work, "tensorflow/include"), { recursive: true });
  return `compiled against the wheel of TensorFlow ${pins.tensorflow}`;
}

/** pip checks the sha256. */
function downloadWheels(work) {
  const requirements = join(work, "requirements.txt");
  fs.writeFileSync(
    requirements,
    Object.entries(pins.wheels)
      .map(([wheel, sha256]) => `${wheel} --hash=sha256:${sha256}\n`)
      .join(""),
  );
  const args = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    ...WHEEL_TAGS,
    "--require-hashes",
  ];
  must(
    "python3",
    [...args, "--requirement", requirements, "--dest", join(work, "wheels")],
    "PyPI cannot be reached, or pip is missing (Debian, Ubuntu: apt-get install python3-pip)",
  );
}

/** A wheel is a zip file: its libraries, and the headers that the binding includes. */
function unpack(wheel, work) {
  const wanted = [
    String.raw`tensorflow/libtensorflow_(cc|framework)\.so\.2`,
    String.raw`tensorflow/include/(tensorflow|tsl|xla/tsl)/(c/.*|(.*/)?platform/ctstring[^/]*)\.h`,
    String.raw`nvidia/.*/lib/[^/]*\.so[.0-9]*`,
  ].join("|");
  const script = `import re, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if re.fullmatch(sys.argv[3], name)])`;
  must("python3", ["-c", script, wheel, work, wanted], `${basename(wheel)} cannot be unpacked (is the disk full?)`);
}

/** Builds the binding where the package looks for it; its libraries are found relative to it, so that the folder may be moved. */
function compile(work) {
  const sources = join(packageFolder(work), "binding");
  const target = join(packageFolder(work), "lib/napi-v8");
  const libraries = join(work, "tensorflow");
  fs.mkdirSync(target, { recursive: true });
  for (const name of ["libtensorflow", "libtensorflow_framework"]) {
    const real = name === "libtensorflow" ? "libtensorflow_cc" : name;
    fs.symlinkSync(`${real}.so.2`, join(libraries, `${name}.so`)); // the names it is linked by
  }
  const nvidia = fs.existsSync(join(work, "nvidia"))
    ? fs.readdirSync(join(work, "nvidia")).map((name) => join(work, "nvidia", name, "lib"))
    : [];
  const rpath = [libraries, ...nvidia].map((path) => `$ORIGIN/${relative(target, path)}`).join(":");
  must(
    "g++",
    [
      ...["-O2", "-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8"],
      ...["-I", join(libraries, "include"), "-I", join(work, "node_modules/node-api-headers/include")],
      ...fs
        .readdirSync(sources)
        .filter((file) => file.endsWith(".cc"))
        .map((file) => join(sources, file)),
      ...["-L", libraries, "-ltensorflow", "-ltensorflow_framework", `-Wl,-rpath,${rpath}`],
      ...["-o", join(target, "tfjs_binding.node")],
    ],
    "the binding's source does not compile here",
  );
}

// ---- What is there ----

/** Says what the binding in a folder is. @throws {Problem} when it does not load or compute */
function prove(work) {
  const proof = tryProof(work);
  if (!proof.ok) throw new Problem(`The binding in ${work} does not work: ${proof.error}`);
  return proof.found;
}

function tryProof(work) {
  const { status, stdout, stderr } = run(process.execPath, [join(here, "prove.mjs"), packageFolder(work)]);
  return status === 0
    ? { ok: true, found: JSON.parse(stdout) }
    : { ok: false, error: stderr.trim().split("\n").slice(-5).join(" ") };
}

/** True when a finished set-up's libraries are those that were made. */
function isIntact(work) {
  const file = join(work, "setup.json");
  if (!fs.existsSync(file)) return false;
  const { sha256 } = JSON.parse(fs.readFileSync(file, "utf8"));
  const intact = JSON.stringify(digests(work)) === JSON.stringify(sha256);
  if (!intact) say(`${work} is not what was made there; it is made again.`);
  return intact;
}

/** sha256 of every library and binding, by path. */
function digests(work) {
  const places = [
    join(packageFolder(work), "lib"),
    join(packageFolder(work), "deps"),
    join(work, "tensorflow"),
    join(work, "nvidia"),
  ];
  const files = places.flatMap((place) => (fs.existsSync(place) ? filesBelow(place) : []));
  return Object.fromEntries(files.sort().map((file) => [relative(work, file), sha256Of(file)]));
}

function filesBelow(place) {
  return fs.readdirSync(place, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return filesBelow(join(place, entry.name));
    return entry.isFile() ? [join(place, entry.name)] : [];
  });
}

function sha256Of(file) {
  const hash = createHash("sha256");
  const block = Buffer.alloc(1 << 22);
  const descriptor = fs.openSync(file, "r");
  for (let length = fs.readSync(descriptor, block); length > 0; length = fs.readSync(descriptor, block))
    hash.update(block.subarray(0, length));
  fs.closeSync(descriptor);
  return hash.digest("hex");
}

function packageFolder(work) {
  return join(work, "node_modules", pins.package);
}

/** As the engine looks for it (packages/engine/src/tensorflow/environment.ts). */
function cacheFolder() {
  const { GMC_TENSORFLOW, GMC_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (GMC_TENSORFLOW) return GMC_TENSORFLOW;
  if (GMC_CACHE) return join(GMC_CACHE, "tensorflow");
  if (process.platform === "win32") return join(LOCALAPPDATA || join(homedir(), "AppData/Local"), "gmc/tensorflow");
  return join(
    XDG_CACHE_HOME || join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache"),
    "gmc/tensorflow",
  );
}

// ---- Small things ----

function must(command, args, problem) {
  if (spawnSync(command, args, { stdio: ["ignore", 2, 2] }).status !== 0) throw new Problem(`${problem}; see above.`);
}

function npm(args, cwd) {
  const shell = process.platform === "win32"; // npm is a .cmd file there
  const { status } = spawnSync("npm", args, { cwd, stdio: ["ignore", 2, 2], shell });
  if (status !== 0) throw new Problem("The npm registry cannot be reached; see above.");
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
}

function report(what, { tensorflow, devices }) {
  say(
    `${pins.package} ${PACKAGE_VERSION} with TensorFlow ${tensorflow} ${what}; it computes on ${devices}. Set engine.kind: tensorflow to use it.`,
  );
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function fail(message, code) {
  say(`TensorFlow was not set up. ${message}`);
  process.exit(code);
}
