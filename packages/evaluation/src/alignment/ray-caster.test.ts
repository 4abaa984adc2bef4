import { expect, test } from "vitest";
import { plainHits, plainShadows } from "./plain-rays.ts";
import { clouds, lattice, onSphere } from "./points.testing.ts";
import { RayCaster } from "./ray-caster.ts";
import { type PlanOptions, planRays, type RayPlan } from "./ray-plan.ts";

const close = clouds(5, 90, 3, 9, 1e-6); // nine clouds whose points nearly coincide
const sets: readonly (readonly [name: string, points: Float64Array, dim: number])[] = [
  ["one cloud in 2 dimensions", clouds(1, 70, 2, 1, 1), 2],
  ["clusters in 16 dimensions, a second block of chunks", clouds(2, 300, 16, 5, 0.1), 16],
  ["points on a sphere", onSphere(clouds(3, 120, 8, 4, 0.2), 8), 8],
  ["a lattice", lattice(5, 3), 3],
  ["points on a line", clouds(4, 65, 1, 1, 1), 1],
  ["points that nearly coincide", close, 3],
  ["exactly one chunk", clouds(6, 32, 3, 1, 1), 3],
  ["one site more than a chunk", clouds(7, 33, 3, 1, 1), 3],
  ["far from the origin", clouds(8, 80, 4, 2, 0.01).map((value) => Math.fround(value + 1000)), 4],
  ["two sites", Float64Array.of(0, 0, 1, 2), 2],
];

test.each(sets)("passing sites over gives the hits of the straightforward version: %s", (_, points, dim) => {
  const plan = planOf(points, dim, { rays: 101 });
  const rows = castAll(plan);
  const shadows = plainShadows(plan);
  for (let site = 0; site < plan.sites; site++) {
    expect(rows.hits.subarray(site * plan.sites, (site + 1) * plan.sites)).toEqual(plainHits(plan, shadows, site));
  }
});

test("on tight clusters most pairs are passed over", () => {
  const plan = planOf(clouds(2, 2000, 16, 10, 0.05), 16, { rays: 64 });
  expect(castAll(plan).evaluated / (plan.sites ** 2 * plan.rays)).toBeLessThan(0.2);
});

test("hits do not depend on how sites are grouped", () => {
  const points = clouds(9, 150, 5, 3, 0.3);
  const whole = planOf(points, 5, { rays: 70 });
  const parts = planOf(points, 5, { rays: 70, threads: 4 });
  expect(parts.group).toBeLessThan(whole.group);
  expect(castAll(parts)).toEqual(castAll(whole));
});

test("more rays only add to the hits of fewer", () => {
  const points = clouds(9, 60, 3, 3, 0.3);
  const few = castAll(planOf(points, 3, { rays: 50 })).hits;
  const many = castAll(planOf(points, 3, { rays: 130 })).hits;
  expect(few.every((count, i) => count <= (many[i] ?? 0))).toBe(true);
  expect(few.reduce((a, b) => a + b)).toBeLessThan(many.reduce((a, b) => a + b));
});

test("a set control flag ends the work without rows", () => {
  const plan = planOf(clouds(1, 70, 2, 1, 1), 2, { rays: 101 });
  Atomics.store(plan.control, 0, 1);
  const work = new RayCaster(plan).cast({ start: 0, end: plan.sites });
  expect([...work]).toEqual([undefined]);
  expect(Atomics.load(plan.control, 1)).toBe(0);
});

function planOf(points: Float64Array, dim: number, options: Partial<PlanOptions>): RayPlan {
  return planRays({ points, dim, rays: 64, seed: 3, counted: true, threads: 0, memoryBytes: 1e8, ...options }).plan;
}

function castAll(plan: RayPlan): { hits: Uint16Array; evaluated: number } {
  const caster = new RayCaster(plan);
  const all = { hits: new Uint16Array(plan.sites ** 2), evaluated: 0 };
  for (let start = 0; start < plan.sites; start += plan.group) {
    const work = caster.cast({ start, end: Math.min(plan.sites, start + plan.group) });
    let turn = work.next();
    while (!turn.done) turn = work.next();
    all.hits.set(turn.value!.hits!, start * plan.sites);
    all.evaluated += turn.value!.evaluated;
  }
  return all;
}
