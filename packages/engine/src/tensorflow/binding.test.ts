import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvironmentError, silentLogger } from "@gmc/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBinding } from "./binding.ts";

let cache: string;
const before = process.env.GMC_TENSORFLOW;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "gmc-no-tensorflow-"));
  process.env.GMC_TENSORFLOW = cache;
});
afterAll(async () => {
  if (before === undefined) delete process.env.GMC_TENSORFLOW;
  else process.env.GMC_TENSORFLOW = before;
  await rm(cache, { recursive: true });
});

test.each([
  ["cpu", ["tfjs-node in node_modules", "tfjs-node-gpu in node_modules"], "npm run setup:tensorflow"],
  ["auto", ["tfjs-node in node_modules", "tfjs-node-gpu in node_modules"], "npm run setup:tensorflow"],
  ["gpu:0", ["tfjs-node-gpu in node_modules"], "npm run setup:tensorflow -- --gpu"],
] as const)(
  "without a binding, device %s says what was looked for and how to get it",
  async (device, lookedFor, setup) => {
    const message = await openBinding({ device, threads: 1 }, silentLogger).then(
      () => "",
      (error: unknown) => (error instanceof EnvironmentError ? error.message : ""),
    );
    for (const place of [...lookedFor, cache, `Run "${setup}"`, 'engine.kind to "onnxruntime"']) {
      expect(message).toContain(place);
    }
  },
);
