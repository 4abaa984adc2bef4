import { EnvironmentError, silentLogger } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { DeviceError } from "./device-search.ts";
import { openRunner } from "./open-runner.ts";
import type { Runner } from "./runner.ts";

describe("openRunner", () => {
  const ONE = { threads: 1, replicas: 1 };
  const fake = (name: string): Runner => ({
    name,
    runsAtOnce: 1,
    programsAtOnce: 1,
    open: () => Promise.reject(new Error("fake")),
    pipeline: () => {
      throw new Error("fake");
    },
    close: () => {},
  });
  const failing = {
    "c-api": () => Promise.reject(new EnvironmentError("no koffi")),
    "onnxruntime-node": async () => fake("node"),
  };

  test("auto is the C API where it loads", async () => {
    const runner = await openRunner("auto", ONE, silentLogger);
    expect(runner.name).toMatch(/^onnxruntime 1\..* \(C API\)$/);
    runner.close();
  });

  test("auto falls back to onnxruntime-node and logs why", async () => {
    const warnings: unknown[] = [];
    const logger = { info() {}, warn: (event: string, fields?: object) => warnings.push({ event, ...fields }) };
    expect((await openRunner("auto", ONE, logger, failing)).name).toBe("node");
    expect(warnings).toEqual([{ event: "engine.runnerFallback", runner: "onnxruntime-node", reason: "no koffi" }]);
  });

  test("a device that is not to be had is an error, not another runner's device", async () => {
    const deviceless = {
      ...failing,
      "c-api": () => Promise.reject(new DeviceError("webgpu", "no card", { lookedFor: [], advice: "" })),
    };
    await expect(openRunner("auto", ONE, silentLogger, deviceless)).rejects.toThrow(/no card/);
  });

  test("a runner that was asked for by name is not replaced", async () => {
    await expect(openRunner("c-api", ONE, silentLogger, failing)).rejects.toThrow(/no koffi/);
  });

  test("an error that is no fact about the machine is not hidden", async () => {
    const broken = { ...failing, "c-api": () => Promise.reject(new TypeError("a bug")) };
    await expect(openRunner("auto", ONE, silentLogger, broken)).rejects.toThrow(/a bug/);
  });
});
