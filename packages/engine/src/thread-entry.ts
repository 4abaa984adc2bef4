import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { WorkerOptions } from "node:worker_threads";
import { Worker } from "node:worker_threads";

/** What a thread loads, from TypeScript sources as well as from what they were compiled to. */
export interface ThreadEntry {
  readonly url: URL;
  readonly execArgv: string[];
}

/**
 * @param from    the caller's `import.meta.url`
 * @param module  relative to it, without its extension
 */
export function threadEntry(from: string, module: string): ThreadEntry {
  if (!fromSource(from)) return { url: new URL(`${module}.js`, from), execArgv: [] };
  return { url: new URL(`${module}.ts`, from), execArgv: ["--import", urlOf("tsx"), "--conditions=@gmc/source"] };
}

/** A thread on a module of ours. */
export function startThread(from: string, module: string, options: WorkerOptions): Worker {
  const { url } = threadEntry(from, module);
  if (!fromSource(from)) return new Worker(url, { ...options, execArgv: [] });
  // Node 20 starts no thread on TypeScript, whatever `--import` says.
  const api = new URL("./index.mjs", urlOf("tsx/esm/api")); // its CommonJS twin beside it cannot register
  const script = `import(${JSON.stringify(api.href)}).then((tsx) => {
    tsx.register();
    return import(${JSON.stringify(url.href)});
  })`;
  return new Worker(script, { ...options, execArgv: ["--conditions=@gmc/source"], eval: true });
}

const fromSource = (url: string): boolean => url.endsWith(".ts");

/** Where a package lies, so that it is found from any working directory. */
const urlOf = (name: string): string => pathToFileURL(createRequire(import.meta.url).resolve(name)).href;
