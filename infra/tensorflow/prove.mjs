// Loads the binding in the folder of its package, lets it compute, and prints {tensorflow, devices} as JSON.
import { createRequire } from "node:module";
import util from "node:util";

process.env.TF_CPP_MIN_LOG_LEVEL ??= "3"; // quiet
util.isNullOrUndefined ??= (value) => value === null || value === undefined; // gone in Node 23, and the package calls them
util.isArray ??= Array.isArray;

const [folder] = process.argv.slice(2);
const load = createRequire(import.meta.url);
const log = console.log;
console.log = console.info = console.warn = console.error;
const tf = load(folder);
const backend = tf.backend();
const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([1, 0, 0, 2], [2, 2])).dataSync();
if (tf.getBackend() !== "tensorflow" || product.join() !== "1,4,3,8")
  throw new Error(`It computed ${product} on the backend ${tf.getBackend()}.`);
log(
  JSON.stringify({
    tensorflow: backend.binding.TF_Version,
    devices: backend.isUsingGpuDevice ? "a graphics card" : "the CPU",
  }),
);
