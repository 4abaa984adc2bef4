import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const engine = new URL("../index.ts", import.meta.url).href;
const models = import.meta.resolve("@gmc/models");

/** What a process leaves in its folder after it has opened a replica; onnxruntime is silent where it sees a CI, so it sees none. */
function leftBehind(runner: string, environment: Readonly<Record<string, string>> = {}): string[] {
  const folder = mkdtempSync(join(tmpdir(), "gmc-telemetry-"));
  const script = `
    const { EngineConfig, openReplica } = await import(${JSON.stringify(engine)});
    const { classifierModel } = await import(${JSON.stringify(models)});
    const model = classifierModel({ inputDim: 2, widths: [2], classes: 2 });
    const replica = await openReplica(model, EngineConfig.parse({ threads: 1, runner: ${JSON.stringify(runner)} }));
    await replica.compile(2);
    await replica.close();
  `;
  try {
    const words = [
      "--import",
      import.meta.resolve("tsx"),
      "--conditions=@gmc/source",
      "--input-type=module",
      "-e",
      script,
    ];
    execFileSync(process.execPath, words, {
      env: { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, ...environment },
    });
    return readdirSync(folder).filter((name) => !/^(tsx-|node-compile-cache)/.test(name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each(["c-api", "onnxruntime-node"])("onnxruntime through %s neither logs nor sends how it is used", (runner) => {
  expect(leftBehind(runner)).toEqual([]);
});

test.runIf(process.platform === "linux")("it would, unless it was told not to", () => {
  expect(leftBehind("c-api", { ORT_DISABLE_TELEMETRY: "0" })).not.toEqual([]);
});
