import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gmc, gmcJson, start, workFolder } from "./gmc.ts";

const folder = workFolder();
afterAll(() => folder.close());
beforeAll(() => writeFile(join(folder.path, "run.yaml"), "data:\n  path: data/none\nengine:\n  kind: tensorflow\n"));

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly needed: boolean;
  readonly found: string;
  readonly advice?: string;
}
interface Examined {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** A place without any binding. */
const NOWHERE = { GMC_TENSORFLOW: join(folder.path, "nowhere") };

/** What the doctor says in JSON, with its exit code. */
async function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout } = await start(["doctor", ...args, "--json"], folder.path, env).ended;
  const { findings }: Examined = JSON.parse(stdout);
  const missing = findings.filter(({ ok, needed }) => needed && !ok);
  return {
    code,
    missing: missing.map(({ name }) => name),
    named: (name: string) => findings.find((f) => f.name === name),
  };
}

test("doctor finds what training needs, and says so as one document", async () => {
  const { ok, findings } = await gmcJson<Examined>(["doctor"], folder.path);
  expect(ok).toBe(true);
  expect(findings.map(({ name }) => name)).toEqual([
    "Node",
    "processor",
    "memory",
    "disk",
    "NVIDIA",
    "onnxruntime",
    "cuda",
    "webgpu",
    "tfjs-node",
    "tfjs-node-gpu",
    "redis-server",
    "sharp",
  ]);
  for (const { ok: fine, advice } of findings) if (!fine) expect(advice).toBeTruthy();
});

test("without its binding TensorFlow is absent, which is fine until it is chosen; then it says how to get it", async () => {
  const free = await doctor([], NOWHERE);
  expect([free.code, free.missing]).toEqual([0, []]);
  const chosen = await doctor(["--engine.kind", "tensorflow"], NOWHERE);
  expect([chosen.code, chosen.missing]).toEqual([1, ["tfjs-node", "training"]]);
  expect(chosen.named("tfjs-node")?.advice).toMatch(/npm run setup:tensorflow/);
  const onCard = await doctor(["--engine.kind", "tensorflow", "--engine.device", "gpu:0"], NOWHERE);
  expect([onCard.code, onCard.missing]).toEqual([1, ["tfjs-node-gpu", "training"]]);
  expect(onCard.named("tfjs-node-gpu")?.advice).toMatch(/npm run setup:tensorflow -- --gpu/);
  const text = await start(["doctor", "--engine.kind", "tensorflow"], folder.path, NOWHERE).ended;
  expect(text.stdout).toMatch(/MISSING {2}tfjs-node .*\n +Run "npm run setup:tensorflow"/);
  expect(text.stdout).toMatch(/Training cannot work here yet/);
});

test("a config is read as a run would: data that is not there, a value that is wrong", async () => {
  const absent = await doctor(["run.yaml", "--engine.kind", "onnxruntime"]);
  expect([absent.code, absent.missing]).toEqual([1, ["data"]]);
  expect(absent.named("data")?.advice).toMatch(/gmc data synth --out/);
  const made = await gmc(["data", "synth", "--out", "data/none", "--train", "64", "--test", "16"], folder.path);
  expect(made.code, made.stderr).toBe(0);
  const there = await doctor(["run.yaml", "--engine.kind", "onnxruntime"]);
  expect([there.code, there.missing]).toEqual([0, []]);
  const wrong = await doctor(["run.yaml", "--engine.device", "gpu"]);
  expect([wrong.code, wrong.missing]).toEqual([1, ["config"]]);
  expect(wrong.named("config")?.found).toMatch(/engine\.device: expected .*gpu:N/);
});

test("a Redis that the cluster is to use has to answer", async () => {
  const { code, missing, named } = await doctor(["--redis", "redis://127.0.0.1:1"]);
  expect([code, missing]).toEqual([1, ["Redis"]]);
  expect(named("Redis")?.found).toMatch(/127\.0\.0\.1:1/);
});
