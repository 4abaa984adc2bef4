import type { Model } from "@gmc/core";
import { initialTrainState, tensorLayout } from "@gmc/core";
import { supervisedContractModel } from "@gmc/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeviceState } from "./device-state.ts";
import type { FlatMemory } from "./kernels/flat-memory.ts";
import { openFlatMemory } from "./kernels/flat-memory.ts";
import { openCApi } from "./runners/c-api.ts";
import type { Runner } from "./runners/runner.ts";
import { tensorNames } from "./tensor-names.ts";

// The CPU stands in for a device: its places are arrays, so what lies on the device can be looked at.
const RULE = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };

let runner: Runner;
beforeAll(async () => {
  runner = await openCApi(1);
});
afterAll(() => runner.close());

async function loaded(model: Model): Promise<{ memory: FlatMemory; state: DeviceState }> {
  const memory = openFlatMemory(tensorLayout(model.parameters).length);
  memory.parameters.set(initialTrainState(model, 4).parameters);
  memory.secondMoment.fill(0.25);
  const state = await DeviceState.open(model, runner, memory);
  await state.load();
  return { memory, state };
}

test("what was loaded is stored again, whatever the host's vectors held meanwhile", async () => {
  const model = supervisedContractModel();
  const { memory, state } = await loaded(model);
  const before = memory.parameters.slice();
  memory.parameters.fill(7);
  memory.secondMoment.fill(7);
  await state.store();
  expect(memory.parameters).toEqual(before);
  expect(memory.firstMoment.every((value) => value === 0)).toBe(true);
  expect(memory.secondMoment.every((value) => value === 0.25)).toBe(true);
  await state.release();
});

test("steps of Adam are those of the kernel, and programs read the new parameters tensor by tensor", async () => {
  const model = supervisedContractModel();
  const { memory, state } = await loaded(model);
  const kernel = openFlatMemory(memory.length);
  kernel.parameters.set(memory.parameters);
  kernel.secondMoment.fill(0.25);
  const powers = { beta1Power: 1, beta2Power: 1 };
  for (let step = 0; step < 3; step++) {
    powers.beta1Power *= RULE.beta1;
    powers.beta2Power *= RULE.beta2;
    for (const { gradient } of [memory, kernel]) gradient.set(gradient.map((_, i) => Math.sin(i + step)));
    await state.adamStep(RULE, powers, 0.5);
    kernel.adamStep(RULE, powers, 0.5);
  }
  await state.store();
  for (const name of ["parameters", "firstMoment", "secondMoment"] as const) {
    const worst = memory[name].reduce((max, value, i) => Math.max(max, Math.abs(value - (kernel[name][i] ?? 0))), 0);
    expect(worst, name).toBeLessThan(3e-7); // onnxruntime may fuse a product and a sum; values are up to 1
  }
  for (const { name, start, end } of tensorLayout(model.parameters).entries) {
    expect(state.parameters.get(tensorNames.parameter(name)), name).toEqual(memory.parameters.subarray(start, end));
  }
  await state.release();
});
