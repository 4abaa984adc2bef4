import { expect, test } from "vitest";
import { benchmarkAlignment, clusteredCodes } from "./benchmark.ts";

test("the benchmark compares hits with the straightforward version and measures both", async () => {
  const result = await benchmarkAlignment({
    reference: clusteredCodes(1, 150, 16),
    evaluated: clusteredCodes(2, 150, 16),
    dim: 16,
    rays: 300,
    plainSites: 5,
    plainRays: 50,
  });
  expect(result.straightforward).toMatchObject({ sites: 5, rays: 50, sameHits: true });
  expect(result.straightforward.nanosecondsPerPair).toBeGreaterThan(0);
  expect(result.summary.precision).toBeGreaterThan(0.5); // both sets are from the same clusters
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
});
