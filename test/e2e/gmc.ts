import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ENTRY = join(ROOT, "packages/cli/bin/gmc.js");

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Settles when standard error has shown `text`, or the command has ended. */
  shows(text: string | RegExp): Promise<void>;
}

/** Starts `gmc` as a child process, as a user's shell does. @param env  beside this process's environment */
export const start = (args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running =>
  startNode([ENTRY, ...args], cwd, env);

/** Runs another script with Node. */
export const run = (args: readonly string[], cwd: string): Promise<Ended> => startNode(args, cwd).ended;

function startNode(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...environment(), ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const shows = async (text: string | RegExp) => {
    const seen = () => (typeof text === "string" ? stderr.includes(text) : text.test(stderr));
    while (!seen() && child.exitCode === null && child.signalCode === null) await sleep(5);
  };
  return { child, ended, shows };
}

/** Runs `gmc` to its end. */
export const gmc = (args: readonly string[], cwd: string): Promise<Ended> => start(args, cwd).ended;

/** The one document on standard output of a command that succeeds with `--json`. */
export async function gmcJson<T>(args: readonly string[], cwd: string): Promise<T> {
  const ended = await gmc([...args, "--json"], cwd);
  if (ended.code !== 0) throw new Error(`gmc ${args.join(" ")} ended with ${ended.code}:\n${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

/** What `gmc train --json` prints. */
export interface TrainDocument {
  readonly run: string;
  readonly status: string;
  readonly steps: number;
  readonly epochs: number;
  readonly wallSeconds: number;
  readonly samplesPerSecond: number;
  readonly finalLoss: number;
  readonly weightsSha256: string;
}

/** A working folder of its own, removed by `close`. */
export function workFolder(): { readonly path: string; close(): void } {
  const path = mkdtempSync(join(tmpdir(), "gmc-e2e-"));
  return { path, close: () => rmSync(path, { recursive: true, force: true }) };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Without what would change how the command behaves. */
function environment(): NodeJS.ProcessEnv {
  const { GMC_LOG: _, NODE_OPTIONS: __, ...rest } = process.env;
  return rest;
}
