import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { contrastiveLoss } from "./contrastive-loss.ts";
import { openFlatMemory } from "./flat-memory.ts";

/** Numbers in (0, 1) from integer arithmetic: the same everywhere. */
function* numbers(): Generator<number, never> {
  for (let state = 7; ; ) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

test("the kernels' bits are those of every other machine and Node version", () => {
  const source = numbers();
  const next = () => source.next().value;
  const hash = createHash("sha256");
  const shape = { modalities: 3, batch: 100, dim: 33 };
  const rows = { start: 0, end: 100 };
  for (const loss of ["nt_xent", "negatives_only", "joints_as_negatives"] as const) {
    for (const temperature of [0.1, 0.01]) {
      const z = Float32Array.from({ length: 4 * 100 * 33 }, () => (next() - 0.5) / 2);
      const kernel = contrastiveLoss({ loss, temperature }, shape);
      const normalisers = kernel.logNormalisers(z, rows);
      const { loss: value, dz } = kernel.gradient(z, normalisers, rows);
      hash.update(normalisers).update(dz).update(Float64Array.of(value));
    }
  }
  const memory = openFlatMemory(1001);
  memory.parameters.forEach((_, i) => {
    memory.parameters[i] = next();
    memory.gradient[i] = next() - 0.5;
  });
  const rule = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
  for (let step = 0; step < 5; step++) memory.adamStep(rule, { beta1Power: 0.9, beta2Power: 0.999 }, 0.7);
  hash.update(memory.parameters).update(memory.secondMoment).update(Float64Array.of(memory.gradientNorm()));
  expect(hash.digest("hex")).toBe("a2acd716a9e1c54595507ab2e085c4cbc244e4964a7dd2c92e8c9a32f65e461b");
});
