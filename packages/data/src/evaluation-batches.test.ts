import { expect, test } from "vitest";
import { openDataset } from "./dataset.ts";
import { type EvaluationBatch, evaluationBatches } from "./evaluation-batches.ts";
import { penOf, tinyInputs, writeTinyDataset } from "./tiny-dataset.testing.ts";

const inputs = tinyInputs(4).slice(1, 2);
async function collect(batches: AsyncIterable<EvaluationBatch>): Promise<EvaluationBatch[]> {
  const all: EvaluationBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}
const firstNumbers = ({ inputs: { pen } }: EvaluationBatch): number[] => [...pen!].filter((_, i) => i % 6 === 0);

test("batches come in file order with fixed rows, the last one filled with its last sample", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const batches = await collect(evaluationBatches(dataset, "test", inputs, 4));
  expect(batches.map(({ start, count }) => [start, count])).toEqual([
    [0, 4],
    [4, 4],
    [8, 3],
  ]);
  expect(batches.map(firstNumbers)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 10],
  ]);
  expect([...batches[0]!.inputs.pen!]).toEqual([0, 1, 2, 3].flatMap(penOf));
  await dataset.close();
});

test("a subset is read in its own order", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const batches = evaluationBatches(dataset, "test", inputs, 2, undefined, Uint32Array.of(7, 2, 5));
  expect((await collect(batches)).map(firstNumbers)).toEqual([
    [7, 2],
    [5, 5],
  ]);
  await dataset.close();
});

test("a signal ends the iteration with a cancellation", async () => {
  const dataset = await openDataset(await writeTinyDataset());
  const abort = new AbortController();
  const batches = evaluationBatches(dataset, "test", inputs, 4, abort.signal);
  await batches.next();
  abort.abort();
  await expect(batches.next()).rejects.toMatchObject({ code: "ERR_CANCELLED" });
  await dataset.close();
});
