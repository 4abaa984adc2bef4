import { execFile } from "node:child_process";
import type { BindingPackage } from "./find-binding.ts";
import { BINDING_PACKAGES, findBinding } from "./find-binding.ts";

/** What is known of one of TensorFlow's bindings on this machine. */
export interface TensorflowFinding {
  readonly package: BindingPackage;
  /** Where it lies; undefined where it does not. */
  readonly folder: string | undefined;
  /** It was loaded, in a process of its own, and multiplied two matrices right. */
  readonly works: boolean;
  /** "2.16.2" */
  readonly tensorflow?: string;
  /** It found a graphics card and computed there. */
  readonly onCard?: boolean;
  /** Why it does not work. */
  readonly problem?: { readonly reason: string; readonly lookedFor: readonly string[]; readonly advice: string };
}

/** Loading takes a second or two; a card's first use, some more. */
const DEADLINE_MS = 60_000;

/** Both bindings: looked for, and tried. */
export const findTensorflow = (): Promise<readonly TensorflowFinding[]> => Promise.all(BINDING_PACKAGES.map(examine));

async function examine(name: BindingPackage): Promise<TensorflowFinding> {
  const place = findBinding(name);
  const setup = `npm run setup:tensorflow${name === "@tensorflow/tfjs-node-gpu" ? " -- --gpu" : ""}`;
  const common = { package: name, folder: place.folder };
  if (place.folder === undefined) {
    const advice = `Run "${setup}" in the repository, or "npm install ${name}@4.22.0" in your project.`;
    return { ...common, works: false, problem: { reason: "not installed", lookedFor: place.lookedFor, advice } };
  }
  const tried = await probe(place.folder);
  if ("error" in tried) {
    const advice = `Run "${setup} --force" to make it again.`;
    return { ...common, works: false, problem: { reason: tried.error, lookedFor: [place.folder], advice } };
  }
  return { ...common, works: true, ...tried };
}

/** Loads a binding where it can do no harm: two of them in one process do not get along. */
const PROBE = `
const util = require("node:util");
util.isArray ??= Array.isArray;
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
const { log } = console;
console.log = console.info = console.warn = console.error;
const tf = require(process.argv[1]);
const backend = tf.backend();
const product = [...tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([1, 0, 0, 2], [2, 2])).dataSync()];
if (product.join() !== "1,4,3,8") throw new Error("it multiplied two matrices wrong: " + product);
log(JSON.stringify({ tensorflow: backend.binding.TF_Version, onCard: backend.isUsingGpuDevice }));
`;

type Probed = { readonly tensorflow: string; readonly onCard: boolean } | { readonly error: string };

function probe(folder: string): Promise<Probed> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["-e", PROBE, folder], { timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      const line = stdout.trim().split("\n").at(-1);
      if (!error && line) resolve(JSON.parse(line));
      else
        resolve({
          error: /^\w*Error: .*/m.exec(stderr)?.[0] ?? stderr.trim().split("\n").at(-1) ?? "it did not answer",
        });
    });
  });
}
