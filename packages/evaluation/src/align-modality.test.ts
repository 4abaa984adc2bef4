import { expect, test } from "vitest";
import { alignModality, alignmentSamples, judgedCodes } from "./align-modality.ts";
import { clouds } from "./alignment/points.testing.ts";
import { alignmentSpread, alignmentSpreadTable, alignmentTable } from "./alignment-table.ts";
import { EvaluationConfig } from "./config.ts";

const dim = 4;
const encoded = (codes: Float32Array, labels?: Int32Array) => ({
  codes,
  dim,
  samples: codes.length / dim,
  ...(labels && { labels }),
});
/** [60, dim] one of three codes a sample, with a little noise below the fourth decimal. */
const ofLabels = Float32Array.from({ length: 60 * dim }, (_, i) => {
  const sample = Math.floor(i / dim);
  return Math.sin((sample % 3) * dim + (i % dim)) + 1e-6 * (sample % 2);
});
const labels = Int32Array.from({ length: 60 }, (_, sample) => sample % 3);
const config = EvaluationConfig.parse({ alignment: { rays: 200, minClusterSize: 5 } }).alignment;

test("few different codes are judged once each, rounded, with the class of the first sample", () => {
  const judged = judgedCodes(encoded(ofLabels, labels), 4, 3);
  expect(judged.eachOnce).toBe(true);
  expect(judged.codes).toHaveLength(3 * dim);
  expect(judged.codes.every((value) => Math.fround(Math.round(value * 1e4) / 1e4) === value)).toBe(true);
  expect([...(judged.labels ?? [])]).toEqual([0, 1, 2]);
  expect([...(judged.codeOf ?? [])]).toEqual([...labels]);
});

test("few means one a class or one in twenty samples; other codes are judged as they are", () => {
  expect(judgedCodes(encoded(ofLabels), 4).eachOnce).toBe(true); // 3 of 60, no classes known
  expect(judgedCodes(encoded(ofLabels), 7, 3).eachOnce).toBe(false); // the noise is kept: 6 codes
  const many = encoded(Float32Array.from(clouds(1, 60, dim, 3, 0.1)));
  expect(judgedCodes(many, 4, 3)).toEqual({ codes: many.codes, dim, eachOnce: false });
});

test("samples are drawn without replacement by the seed, in order, and only where fewer are wanted", () => {
  const drawn = alignmentSamples(1, 100, 40);
  expect(new Set(drawn).size).toBe(40);
  expect([...(drawn ?? [])]).toEqual([...(drawn ?? [])].sort((a, b) => a - b));
  expect(alignmentSamples(1, 100, 40)).toEqual(drawn);
  expect(alignmentSamples(2, 100, 40)).not.toEqual(drawn);
  expect(alignmentSamples(1, 100, 100)).toBeUndefined();
});

test("the alignment takes the config's settings, and its seed before the run's", async () => {
  const complete = encoded(Float32Array.from(clouds(1, 60, dim, 3, 0.1)));
  const modality = judgedCodes(complete, 4, 3);
  const of = (changed: object) =>
    alignModality({ complete, modality, config: { ...config, ...changed }, seed: 7 }).then(({ summary }) => summary);
  expect(await of({})).toMatchObject({
    rays: 200,
    minClusterSize: 5,
    seed: 7,
    precision: 1,
    recall: 1,
    eachOnce: false,
  });
  expect(await of({ seed: 9 })).toMatchObject({ seed: 9 });
});

test("tables have one line a modality, and mean ± deviation over runs", async () => {
  const complete = encoded(Float32Array.from(clouds(1, 60, dim, 3, 0.1)));
  const one = (score: number, label: number) => ({
    samples: 60,
    seed: 0,
    rays: 200,
    modalities: { image: { ...image, score }, label: { ...image, score: label, eachOnce: true } },
  });
  const { summary: image } = await alignModality({ complete, modality: judgedCodes(complete, 4), config, seed: 0 });
  const table = alignmentTable(one(0.5, 0.25));
  expect(table).toContain("| image | 1.000 | 1.000 |");
  expect(table).toContain("| 0.500 | 60 |");
  expect(table).toContain("Few different codes, each judged once: label.");
  const spreads = alignmentSpread([one(0.5, 0.2), one(0.7, 0.2)]);
  expect(spreads.image?.score.mean).toBeCloseTo(0.6, 12);
  expect(spreads.image?.score.std).toBeCloseTo(Math.SQRT2 / 10, 12);
  expect(alignmentSpreadTable([one(0.5, 0.2), one(0.7, 0.2)])).toContain("| 0.600 ± 0.141 |");
});

test("a modality that a run lacks is in no mean", async () => {
  const complete = encoded(Float32Array.from(clouds(1, 60, dim, 3, 0.1)));
  const { summary } = await alignModality({ complete, modality: judgedCodes(complete, 4), config, seed: 0 });
  const of = (...names: string[]) => ({
    ...{ samples: 60, seed: 0, rays: 200 },
    modalities: Object.fromEntries(names.map((name) => [name, summary])),
  });
  expect(Object.keys(alignmentSpread([of("a", "b"), of("b", "c")]))).toEqual(["b"]);
});
