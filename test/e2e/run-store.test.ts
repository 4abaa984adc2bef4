import { existsSync } from "node:fs";
import { join } from "node:path";
import { type HttpServer, pullRun, pushRun, serveRuns } from "@gmc/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gmcJson, ROOT, sleep, start, type TrainDocument, workFolder } from "./gmc.ts";

const TOKEN = "a token of some length";
const here = workFolder();
const there = workFolder();
let store: HttpServer;
beforeAll(async () => {
  await gmcJson(["data", "synth", "--out", "data/synth", "--train", "300", "--test", "20"], here.path);
  store = await serveRuns({ root: join(here.path, "store"), token: TOKEN, cache: join(here.path, "cache") });
});
afterAll(async () => {
  await store.close();
  here.close();
  there.close();
});

const train = (epochs: number, out: string) => [
  ...["train", join(ROOT, "examples/demo.yaml"), "--data.path", join(here.path, "data/synth")],
  ...["--training.epochs", `${epochs}`, "--training.checkpoint.everyEpochs", "1", "--out", out],
];

test("a run that is killed on one machine goes on on another from the run store, to the same bits", async () => {
  const whole = await gmcJson<TrainDocument>(train(6, "runs/whole"), here.path);
  const killed = start(train(6, "runs/a"), here.path);
  const options = { token: TOKEN, cache: join(here.path, "cache") };
  const folder = join(here.path, "runs/a");
  const saved = join(here.path, "store/runs/a/checkpoints/last.json");
  while (!existsSync(saved) && killed.child.exitCode === null) {
    await pushRun(folder, store.url, "runs/a", { ...options, fence: { owner: "a", number: 1 } });
    await sleep(20);
  }
  killed.child.kill("SIGKILL");
  await killed.ended;
  const pulled = join(there.path, "runs/a");
  await pullRun(store.url, "runs/a", pulled, {
    token: TOKEN,
    fence: { owner: "a", number: 2 },
    cache: join(there.path, "cache"),
  });
  expect(existsSync(join(pulled, "checkpoints/last.json"))).toBe(true);
  const resumed = await gmcJson<TrainDocument>(["train", "--resume", "--out", pulled], there.path);
  expect(resumed).toMatchObject({ status: "finished", epochs: 6, weightsSha256: whole.weightsSha256 });
  await pushRun(pulled, store.url, "runs/a", { ...options, fence: { owner: "a", number: 2 } });
  await expect(pushRun(folder, store.url, "runs/a", { ...options, fence: { owner: "a", number: 1 } })).rejects.toThrow(
    /Generation 1 of a is over/,
  );
});
