import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** PyTorch's GMC, ready to be timed. */
export interface Peer {
  readonly python: string;
  readonly script: string;
  /** "2.15.0" */
  readonly torch: string;
}

/** Where a peer may be. */
export interface PeerPlaces {
  readonly script: string;
  /** Interpreters to try, in order. */
  readonly pythons: readonly string[];
}

/** What decides about the places: environment, operating system, home folder, repository. */
export interface PeerSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** Root of this repository. */
  readonly repository: string;
}

/**
 * `GMC_PEER`, else `../shared/peer/gmc_torch.py` beside the repository; `GMC_TORCH_PYTHON` alone when it is set, else the
 * virtual environment `gmc/torch` in the user's cache folder, then `python3`.
 */
export function peerPlaces({ env, platform, home, repository }: PeerSurroundings): PeerPlaces {
  const script = env.GMC_PEER || join(repository, "..", "shared", "peer", "gmc_torch.py");
  const chosen = env.GMC_TORCH_PYTHON;
  const windows = platform === "win32";
  const inside = windows ? ["Scripts", "python.exe"] : ["bin", "python"];
  const environment = join(cacheFolder(env, platform, home), "gmc", "torch", ...inside);
  return { script, pythons: chosen ? [chosen] : [environment, windows ? "python" : "python3"] };
}

function cacheFolder(env: PeerSurroundings["env"], platform: NodeJS.Platform, home: string): string {
  if (platform === "win32") return env.LOCALAPPDATA || join(home, "AppData", "Local");
  return env.XDG_CACHE_HOME || join(home, platform === "darwin" ? "Library/Caches" : ".cache");
}

/**
 * The first interpreter that has torch, or one sentence that says what is missing.
 *
 * @param torchVersion  version of an interpreter's torch, undefined where it cannot be imported
 */
export async function findPeer(
  { script, pythons }: PeerPlaces,
  exists: (path: string) => boolean = existsSync,
  torchVersion: (python: string) => Promise<string | undefined> = (python) => importTorch(python),
): Promise<Peer | { readonly missing: string }> {
  if (!exists(script)) {
    return { missing: `No peer to compare with: ${script} does not exist; GMC_PEER names another place.` };
  }
  for (const python of pythons) {
    const torch = await torchVersion(python);
    if (torch) return { python, script, torch };
  }
  return {
    missing: `No peer to compare with: ${pythons.join(" and ")} cannot import torch; bench/README.md says how to get it.`,
  };
}

/** Version of an interpreter's torch; undefined where it cannot be imported, or not before `signal`. */
export function importTorch(python: string, signal?: AbortSignal): Promise<string | undefined> {
  const options = { timeout: 60_000, ...(signal ? { signal } : {}) };
  return new Promise((resolve) => {
    execFile(python, ["-c", "import torch; print(torch.__version__)"], options, (error, stdout) => {
      resolve(error ? undefined : stdout.trim().split("\n").at(-1));
    });
  });
}

/** One measurement of the peer. */
export interface PeerRun {
  /** Global batch. */
  readonly batch: number;
  /** Of each worker. */
  readonly threads: number;
  /** Processes of its distributed data parallelism; default 1. */
  readonly workers?: number;
  readonly steps: number;
  readonly warmup: number;
}

/** Median milliseconds of one step of the peer, in a process of its own. @throws {Error} with what it printed, when it fails */
export async function timePeer(
  { python, script }: Peer,
  { batch, threads, workers = 1, steps, warmup }: PeerRun,
  signal: AbortSignal,
): Promise<number> {
  const numbers = { batch, threads, workers, steps, warmup };
  const args = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const output = await outputOf(python, [script, "bench", ...args], signal);
  return peerMilliseconds(output);
}

/** Of the one JSON line that the peer prints. @throws {Error} when there is none */
export function peerMilliseconds(output: string): number {
  const line = output.split("\n").find((text) => text.startsWith("{"));
  const result: unknown = line === undefined ? undefined : JSON.parse(line);
  if (typeof result === "object" && result !== null && "msPerStep" in result && typeof result.msPerStep === "number") {
    return result.msPerStep;
  }
  throw new Error(`The peer printed no msPerStep: ${output.slice(0, 500)}`);
}

function outputOf(command: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`The peer ended with exit code ${code}: ${errors.trim().slice(-500)}`));
    });
  });
}
