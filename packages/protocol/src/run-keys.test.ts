import { expect, test } from "vitest";
import { runKeys } from "./run-keys.ts";

test("every key of a run carries its hash tag, and every key of a generation the generation", () => {
  const keys = runKeys("run-1");
  const generation = keys.of("3-ab");
  const all = [keys.generation, keys.commit, keys.fence, keys.registry, keys.result, keys.lease("coordinator")];
  const inside = [
    generation.value("5/z/0"),
    generation.values("5"),
    generation.released("5"),
    generation.door(1),
    generation.door("all"),
    generation.stage(1, 0),
  ];
  for (const key of [...all, ...inside]) expect(key.startsWith("gmc:{run-1}:")).toBe(true);
  for (const key of inside) expect(key.startsWith("gmc:{run-1}:3-ab:")).toBe(true);
  expect(new Set([...all, ...inside]).size).toBe(12);
});

test.each(["", "a}b", "a:b", "a b", "x".repeat(129)])("the run id %j is refused", (run) => {
  expect(() => runKeys(run)).toThrow(RangeError);
});
