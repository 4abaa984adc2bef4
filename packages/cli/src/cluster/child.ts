import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { EnvironmentError } from "@gmc/core";
import { onCores } from "@gmc/worker";
import type { Part } from "./keep-running.ts";

export interface ChildOptions {
  /** For messages: "worker 1". */
  readonly name: string;
  /** The command line after `gmc`. */
  readonly args: readonly string[];
  /** Beside this process's environment: passwords go here, not into `args`. */
  readonly env?: Readonly<Record<string, string>>;
  /** That it keeps to, as `coreShares` gives them; default all. */
  readonly cores?: string;
  /** Gets what the child writes to standard error. */
  readonly log?: Writable;
  readonly startTimeoutMs?: number;
  /** How long `close` waits before it kills. */
  readonly closeTimeoutMs?: number;
}

/** A `gmc` process of ours. */
export interface Child extends Part {
  readonly pid: number;
}

const ENTRY = fileURLToPath(new URL("../../bin/gmc.js", import.meta.url));
const START_MS = 60_000;
const CLOSE_MS = 20_000;

/**
 * Starts `gmc ARGS --with-parent` and waits until it says that it is ready. It ends when this process ends, however that
 * happens; a session of its own keeps Ctrl-C in a terminal away from it, so that this process decides what is stopped.
 *
 * @throws {EnvironmentError} with its last words when it ends before, or is not ready in time
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, args, env, cores, log, startTimeoutMs = START_MS, closeTimeoutMs = CLOSE_MS } = options;
  const command = [process.execPath, ...process.execArgv, ENTRY, ...args, "--with-parent"] as const;
  const { program, args: words } = onCores(cores, command);
  const child = spawn(program, words, {
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr?.on("data", (text: Buffer) => {
    said = `${said}${text}`.slice(-4000);
    log?.write(text);
  });
  const ended = new Promise<string>((settle) => {
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, signal) => settle(lastWords(said, code, signal)));
  });
  const running: Child = {
    pid: child.pid ?? 0,
    ended,
    async close() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), closeTimeoutMs);
      await ended;
      clearTimeout(timer);
    },
  };
  const refuse = (why: string) => new EnvironmentError(`${name} did not start: ${why}`, { name, said });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("message", () => resolve());
      void ended.then((words) => reject(refuse(words)));
      timer = setTimeout(() => reject(refuse(`not ready within ${startTimeoutMs} ms`)), startTimeoutMs);
    });
    return running;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function lastWords(said: string, code: number | null, signal: NodeJS.Signals | null): string {
  const how = signal === null ? `ended with ${code}` : `ended by ${signal}`;
  const last = said.trim().split("\n").slice(-3).join("\n");
  return last === "" ? how : `${how}: ${last}`;
}
