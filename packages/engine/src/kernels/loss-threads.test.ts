import { normalAt, randomKey } from "@gmc/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { contrastiveLoss } from "./contrastive-loss.ts";
import { LossThreads } from "./loss-threads.ts";

const SPEC = { loss: "nt_xent", temperature: 0.1 } as const;
const SHAPE = { modalities: 2, batch: 256, dim: 32 };
const SHARDS = [0, 1, 2].map((v) => ({ start: v * 85, end: v === 2 ? 256 : (v + 1) * 85 }));

const key = randomKey(3, "z");
const z = new Float32Array(new SharedArrayBuffer(4 * 3 * 256 * 32));
for (let i = 0; i < z.length; i++) z[i] = normalAt(key, i) / Math.sqrt(32);

let threads: LossThreads;
beforeEach(() => {
  threads = new LossThreads(2);
});
afterEach(() => threads.close());

test("shards at the same time give the bits of one after another, on shared memory and on an array of its own", async () => {
  const direct = contrastiveLoss(SPEC, SHAPE);
  const all = { start: 0, end: 256 };
  const normalisers = direct.logNormalisers(z, all);
  const threaded = threads.open(SPEC, SHAPE)!;
  expect(threaded.normalisersPerRow).toBe(direct.normalisersPerRow);
  for (const given of [z, z.slice()]) {
    const own = await Promise.all(SHARDS.map((rows) => threaded.logNormalisers(given, rows)));
    expect(own).toEqual(SHARDS.map((rows) => direct.logNormalisers(z, rows)));
    const shares = await Promise.all(SHARDS.map((rows) => threaded.gradient(given, normalisers, rows)));
    expect(shares).toEqual(SHARDS.map((rows) => direct.gradient(z, normalisers, rows)));
  }
});

test("losses of two shapes may be asked for in turn", async () => {
  const other = { ...SHAPE, dim: 64, batch: 192 };
  const wide = new Float32Array(3 * 192 * 64).fill(0.125);
  const rows = { start: 0, end: 96 };
  for (let i = 0; i < 2; i++) {
    expect(await threads.open(SPEC, SHAPE)!.logNormalisers(z, rows)).toEqual(
      contrastiveLoss(SPEC, SHAPE).logNormalisers(z, rows),
    );
    expect(await threads.open(SPEC, other)!.logNormalisers(wide, rows)).toEqual(
      contrastiveLoss(SPEC, other).logNormalisers(wide, rows),
    );
  }
});

test("a small batch is left to the caller", () => {
  expect(threads.open(SPEC, { ...SHAPE, batch: 64 })).toBeUndefined();
});

test("what a thread refuses comes back with its words, what the shape forbids at once", async () => {
  const threaded = threads.open(SPEC, SHAPE)!;
  await expect(threaded.logNormalisers(z.subarray(1), { start: 0, end: 1 })).rejects.toThrow(
    /expected shape \[3,256,32\]/,
  );
  expect(() => threads.open({ ...SPEC, temperature: 0 }, SHAPE)).toThrow(/temperature is a positive number/);
});

test("close rejects what is under way and everything after it, and may be called twice", async () => {
  const threaded = threads.open(SPEC, SHAPE)!;
  const running = threaded.logNormalisers(z, { start: 0, end: 256 });
  const refused = expect(running).rejects.toThrow();
  await Promise.all([threads.close(), threads.close()]);
  await refused;
  await expect(threaded.logNormalisers(z, { start: 0, end: 1 })).rejects.toThrow(/after its replica's close/);
});
