import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onCores } from "@gmc/worker";
import type { Measures } from "./measures/measures.ts";

type Arguments<Name extends keyof Measures> = Parameters<Measures[Name]>[0];
type Result<Name extends keyof Measures> = Awaited<ReturnType<Measures[Name]>>;

/**
 * What a measure gives, from a fresh process that ends with it.
 *
 * @param cores  that it keeps to, as `coreShares` gives them; default all
 * @param env    beside this process's environment
 * @throws {Error} when that process fails
 */
export function inChild<Name extends keyof Measures>(
  name: Name,
  args: Arguments<Name>,
  signal: AbortSignal,
  { cores, env = {} }: { readonly cores?: string | undefined; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Result<Name>> {
  const entry = fileURLToPath(new URL("measures/child.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    // Standard output belongs to the report: what a child prints goes to standard error.
    const node = onCores(cores, [process.execPath, ...process.execArgv]);
    const child = fork(entry, [name, JSON.stringify(args)], {
      execPath: node.program,
      execArgv: node.args,
      env: { ...process.env, ...env },
      stdio: ["ignore", 2, 2, "ipc"],
      signal,
      killSignal: "SIGKILL",
    });
    let result: Result<Name> | undefined;
    child.once("message", (message) => {
      result = message as Result<Name>;
    });
    child.once("error", reject);
    child.once("exit", (code, killed) => {
      if (result) resolve(result);
      else
        reject(new Error(`The measure "${name}" ended with ${killed ?? `exit code ${code}`} before it had a result.`));
    });
  });
}
