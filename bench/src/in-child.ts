import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measures } from "./measures/measures.ts";

type Arguments<Name extends keyof Measures> = Parameters<Measures[Name]>[0];
type Result<Name extends keyof Measures> = Awaited<ReturnType<Measures[Name]>>;

/** What a measure gives, from a fresh process that ends with it. @throws {Error} when that process fails */
export function inChild<Name extends keyof Measures>(
  name: Name,
  args: Arguments<Name>,
  signal: AbortSignal,
): Promise<Result<Name>> {
  const entry = fileURLToPath(new URL("measures/child.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    // Standard output belongs to the report: what a child prints goes to standard error.
    const child = fork(entry, [name, JSON.stringify(args)], {
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
