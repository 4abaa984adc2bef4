import type { UpdateRule } from "@gmc/core";
import { EnvironmentError, normalAt, randomKey } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { openFlatMemory } from "./flat-memory.ts";

const rule: UpdateRule = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** PyTorch's single-tensor Adam and AdamW, in float64. */
function referenceAdam(
  state: { p: number[]; m: number[]; v: number[] },
  g: readonly number[],
  r: UpdateRule,
  t: number,
) {
  const correction1 = 1 - r.beta1 ** t;
  const correction2 = 1 - r.beta2 ** t;
  for (const [i, gradient] of g.entries()) {
    state.p[i] = state.p[i]! * (1 - r.learningRate * r.weightDecay);
    state.m[i] = r.beta1 * state.m[i]! + (1 - r.beta1) * gradient;
    state.v[i] = r.beta2 * state.v[i]! + (1 - r.beta2) * gradient * gradient;
    const denominator = Math.sqrt(state.v[i]!) / Math.sqrt(correction2) + r.epsilon;
    state.p[i] = state.p[i]! - ((r.learningRate / correction1) * state.m[i]!) / denominator;
  }
}

const normals = (purpose: string, length: number, scale = 1): Float32Array => {
  const key = randomKey(7, purpose);
  return Float32Array.from({ length }, (_, i) => scale * normalAt(key, i));
};

describe.each([false, true])("flat memory, shared: %s", (shared) => {
  test.each([
    ["Adam", 1, 0],
    ["AdamW", 0.5, 0.01],
  ])("twenty steps of %s agree with PyTorch's formula in float64", (_name, scale, weightDecay) => {
    for (const length of [1, 3, 4, 16, 37]) {
      const memory = openFlatMemory(length, { shared });
      memory.parameters.set(normals("p", length));
      const reference = { p: [...memory.parameters], m: Array(length).fill(0), v: Array(length).fill(0) };
      let powers = { beta1Power: 1, beta2Power: 1 };
      for (let t = 1; t <= 20; t++) {
        const gradient = normals(`g${t}`, length, 10 ** (-t % 7)); // sizes from 1 to 1e-6
        memory.gradient.set(gradient);
        powers = { beta1Power: powers.beta1Power * rule.beta1, beta2Power: powers.beta2Power * rule.beta2 };
        memory.adamStep({ ...rule, weightDecay }, powers, scale);
        referenceAdam(
          reference,
          [...gradient].map((g) => g * scale),
          { ...rule, weightDecay },
          t,
        );
      }
      for (let i = 0; i < length; i++) {
        expect(Math.abs(memory.parameters[i]! - reference.p[i]!)).toBeLessThan(20 * 1.2e-7); // 20 float32 roundings near 1
        expect(Math.abs(memory.firstMoment[i]! / reference.m[i] - 1)).toBeLessThan(1e-5);
        expect(Math.abs(memory.secondMoment[i]! / reference.v[i] - 1)).toBeLessThan(1e-5);
      }
      memory.close();
    }
  });

  test("gradients are added with the bits of a loop, inside the memory, outside it and across", () => {
    for (const length of [1, 4, 37]) {
      const memory = openFlatMemory(length, { shared, spare: 2 });
      const [inside, outside] = [memory.allocate(), new Float32Array(length)];
      const [a, b] = [normals("a", length), normals("b", length, 1e-7)];
      const sums = a.map((value, i) => value + b[i]!);
      for (const sum of [memory.gradient, inside, outside]) {
        for (const term of [memory.gradient, inside, outside]) {
          if (sum === term) continue;
          sum.set(a);
          term.set(b);
          memory.add(sum, term);
          expect(sum).toEqual(sums);
          expect(term).toEqual(b);
        }
      }
    }
  });

  test("of ranges nothing but the range changes, wherever it begins and ends", () => {
    const memory = openFlatMemory(37, { shared, spare: 1 });
    const [sum, term] = [memory.gradient, memory.allocate()];
    for (const [start, end] of [
      [0, 37],
      [3, 36],
      [5, 7],
      [9, 13],
      [20, 20],
    ] as const) {
      const [a, b] = [normals("a", 37), normals("b", 37)];
      sum.set(a);
      term.set(b);
      memory.add(sum.subarray(start, end), term.subarray(start, end));
      expect(sum).toEqual(a.map((value, i) => (i >= start && i < end ? value + b[i]! : value)));
      expect(term).toEqual(b);
    }
  });

  test("spare vectors come first, zeroed and apart; then plain arrays", () => {
    const memory = openFlatMemory(5, { shared, spare: 2 });
    memory.secondMoment.fill(4);
    const blocks = [memory.allocate(), memory.allocate(), memory.allocate()];
    expect(blocks.map((block) => block.buffer === memory.gradient.buffer)).toEqual([true, true, false]);
    for (const [i, block] of blocks.entries()) {
      expect([...block]).toEqual([0, 0, 0, 0, 0]);
      block.fill(i + 5);
    }
    expect(blocks.map((block) => block[4])).toEqual([5, 6, 7]);
    expect([...memory.secondMoment]).toEqual([4, 4, 4, 4, 4]);
  });

  test("the norm is the float64 norm, for one tile and for several", () => {
    for (const length of [0, 1, 5, 16384, 40003]) {
      const memory = openFlatMemory(length, { shared });
      memory.gradient.set(normals("g", length));
      const norm = Math.sqrt(memory.gradient.reduce((sum, g) => sum + g * g, 0));
      expect(memory.gradientNorm()).toBeCloseTo(norm, 9);
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%s anywhere is seen", (bad) => {
    for (const place of [0, 3, 17, 36]) {
      const memory = openFlatMemory(37, { shared });
      memory.gradient.fill(-3.4e38);
      expect(memory.isFinite()).toBe(true);
      memory.gradient[place] = bad;
      expect(memory.isFinite()).toBe(false);
      expect(Number.isFinite(memory.gradientNorm())).toBe(false);
    }
  });
});

test("the norm does not overflow where squares of float32 would", () => {
  const memory = openFlatMemory(4);
  memory.gradient.fill(1e30);
  expect(memory.gradientNorm() / 2e30).toBeCloseTo(1, 6);
});

test("the moments of a parameter whose gradient stays zero reach zero instead of sticking at subnormal numbers", () => {
  const memory = openFlatMemory(4);
  memory.firstMoment.fill(1e-37);
  for (let t = 0; t < 100; t++) memory.adamStep(rule, { beta1Power: 0.5, beta2Power: 0.5 }, 1);
  expect([...memory.firstMoment]).toEqual([0, 0, 0, 0]);
});

test("views stay the same objects and do not overlap", () => {
  const memory = openFlatMemory(5);
  expect(memory.gradient).toBe(memory.gradient);
  memory.parameters.fill(1);
  memory.gradient.fill(2);
  memory.firstMoment.fill(3);
  memory.secondMoment.fill(4);
  expect([...memory.parameters, ...memory.firstMoment]).toEqual([1, 1, 1, 1, 1, 3, 3, 3, 3, 3]);
});

test("a model beyond WebAssembly's 4 GiB is refused with its size", () => {
  expect(() => openFlatMemory(300_000_000)).toThrow(EnvironmentError);
  expect(() => openFlatMemory(300_000_000)).toThrow(/A model of 300000000 parameters needs 4\.47 GiB/);
});

test("a large model has as many spare vectors as there is room for", () => {
  const memory = openFlatMemory(200_000_000, { spare: 8 }); // takes no memory until it is written
  const inside = () => memory.allocate().buffer === memory.gradient.buffer;
  expect([inside(), inside()]).toEqual([true, false]);
});

test("vectors of two lengths are not added", () => {
  const memory = openFlatMemory(4);
  expect(() => memory.add(memory.gradient, new Float32Array(5))).toThrow(/one length, received 4 and 5 elements/);
});

test("a length that is not a whole number is refused", () => {
  expect(() => openFlatMemory(1.5)).toThrow(/received 1.5/);
});

test("use after close is refused", () => {
  const memory = openFlatMemory(4);
  memory.close();
  expect(() => memory.gradientNorm()).toThrow(TypeError);
  expect(() => memory.parameters).toThrow(/after close/);
});
