import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainDocument } from "./gmc.ts";
import { workFolder } from "./gmc.ts";
import type { Moment } from "./killed-run.ts";
import { killAndResume, wholeRun } from "./killed-run.ts";

const folder = workFolder();
let whole: TrainDocument;

beforeAll(async () => {
  whole = await wholeRun(folder.path);
});
afterAll(() => folder.close());

const MOMENTS: [string, Moment][] = [
  ["while it starts", { ms: 300 }],
  ["in its first epoch, before there is a checkpoint", { after: /epoch 1\/10 /, ms: 0 }],
  ["as an epoch closes and its checkpoint is written", { after: /epoch 1\/10: /, ms: 0 }],
  ["somewhere between checkpoints", { after: /epoch 3\/10: /, ms: 40 }],
];

test.each(MOMENTS)("a run killed %s goes on and ends with the weights of one that was not", async (title, moment) => {
  const { killed, record } = await killAndResume(folder.path, `runs/${title.replaceAll(" ", "-")}`, moment);
  expect(killed, "the kill came before the end").toBe(true);
  expect(record).toMatchObject({ status: "finished", steps: whole.steps, weightsSha256: whole.weightsSha256 });
  expect(record.finalLoss).toBe(whole.finalLoss);
});
