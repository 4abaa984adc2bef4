import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findTensorflow } from "./find-tensorflow.ts";

const name = "@tensorflow/tfjs-node";
let cache: string;
const before = process.env.GMC_TENSORFLOW;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "gmc-tensorflow-"));
  process.env.GMC_TENSORFLOW = cache;
});
afterAll(async () => {
  if (before === undefined) delete process.env.GMC_TENSORFLOW;
  else process.env.GMC_TENSORFLOW = before;
  await rm(cache, { recursive: true });
});

/** A package where the set-up would have put the binding, with this code. */
async function install(code: string): Promise<void> {
  const folder = join(cache, `tfjs-node-4.22.0-${process.platform}-${process.arch}`, "node_modules", name);
  await mkdir(join(folder, "lib", "napi-v8"), { recursive: true });
  await writeFile(join(folder, "lib", "napi-v8", "tfjs_binding.node"), "");
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, version: "4.22.0", main: "index.js" }));
  await writeFile(join(folder, "index.js"), code);
}

const backend = `{ binding: { TF_Version: "9.8.7" }, isUsingGpuDevice: true }`;

test("bindings that are not there say where they were looked for, and what to do", async () => {
  const [cpu, gpu] = await findTensorflow();
  expect(cpu).toMatchObject({ package: name, works: false, problem: { reason: "not installed" } });
  expect(cpu?.problem?.advice).toMatch(/"npm run setup:tensorflow"/);
  expect(gpu?.problem?.advice).toMatch(/"npm run setup:tensorflow -- --gpu"/);
});

test.each([
  [
    "that does not load",
    `throw new Error("libtensorflow.so.2: cannot open shared object file");`,
    /cannot open shared/,
  ],
  [
    "that computes nonsense",
    `module.exports = { backend: () => (${backend}), tensor2d: () => 0, matMul: () => ({ dataSync: () => [1, 2, 3, 4] }) };`,
    /multiplied two matrices wrong: 1,2,3,4/,
  ],
  ["that ends its process", "process.abort();", /./],
])("a binding %s is a finding with its reason, in this process nothing happens", async (_, code, reason) => {
  await install(code);
  const [cpu] = await findTensorflow();
  expect(cpu).toMatchObject({ works: false, folder: expect.stringContaining(cache) });
  expect(cpu?.problem?.reason).toMatch(reason);
  expect(cpu?.problem?.advice).toMatch(/--force/);
});

test("a binding that computes gives its version and where", async () => {
  await install(
    `console.log("a banner"); module.exports = { backend: () => (${backend}), tensor2d: (x) => x, matMul: () => ({ dataSync: () => [1, 4, 3, 8] }) };`,
  );
  const [cpu] = await findTensorflow();
  expect(cpu).toMatchObject({ works: true, tensorflow: "9.8.7", onCard: true });
});
