import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bindingsFolder, setEnvironment } from "./environment.ts";

const before = { ...process.env };
beforeEach(() => {
  for (const name of ["CUDA_VISIBLE_DEVICES", "TF_DETERMINISTIC_OPS", "NVIDIA_TF32_OVERRIDE", "TF_CPP_MIN_LOG_LEVEL"]) {
    delete process.env[name];
  }
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});

test("on the CPU no card is seen, and operations come one after another on so many threads", () => {
  setEnvironment({ threads: 3, card: undefined });
  const { TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, CUDA_VISIBLE_DEVICES, TF_DETERMINISTIC_OPS } = process.env;
  expect([TF_NUM_INTRAOP_THREADS, TF_NUM_INTEROP_THREADS, CUDA_VISIBLE_DEVICES]).toEqual(["3", "1", "-1"]);
  expect(TF_DETERMINISTIC_OPS).toBeUndefined();
});

test.each([
  [undefined, 2, "2"],
  ["5,7", 1, "7"],
  ["5,7", 2, "-1"],
  ["GPU-8d2a", 0, "GPU-8d2a"],
])("where CUDA_VISIBLE_DEVICES is %s, card %d is %s, in float32 and in a fixed order", (visible, card, expected) => {
  if (visible !== undefined) process.env.CUDA_VISIBLE_DEVICES = visible;
  setEnvironment({ threads: 1, card });
  expect(process.env.CUDA_VISIBLE_DEVICES).toBe(expected);
  expect([process.env.TF_DETERMINISTIC_OPS, process.env.NVIDIA_TF32_OVERRIDE]).toEqual(["1", "0"]);
});

test("what the user has set for the log and for TF32 stays", () => {
  Object.assign(process.env, { TF_CPP_MIN_LOG_LEVEL: "0", NVIDIA_TF32_OVERRIDE: "1" });
  setEnvironment({ threads: 1, card: 0 });
  expect([process.env.TF_CPP_MIN_LOG_LEVEL, process.env.NVIDIA_TF32_OVERRIDE]).toEqual(["0", "1"]);
});

test("bindings are looked for in GMC_TENSORFLOW, else GMC_CACHE, else the user's cache folder", () => {
  Object.assign(process.env, { GMC_TENSORFLOW: "/a", GMC_CACHE: "/b", XDG_CACHE_HOME: "/c" });
  expect(bindingsFolder()).toBe("/a");
  delete process.env.GMC_TENSORFLOW;
  expect(bindingsFolder()).toBe(join("/b", "tensorflow"));
  delete process.env.GMC_CACHE;
  if (process.platform !== "win32") expect(bindingsFolder()).toBe("/c/gmc/tensorflow");
  delete process.env.XDG_CACHE_HOME;
  if (process.platform === "linux") expect(bindingsFolder()).toBe(join(homedir(), ".cache/gmc/tensorflow"));
});
