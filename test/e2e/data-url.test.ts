import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, gmcJson, ROOT, type Running, start, type TrainDocument, workFolder } from "./gmc.ts";

const folder = workFolder();
const cache = join(folder.path, "cache");
let server: Running;
let url: string;
beforeAll(async () => {
  const sizes = ["--train", "300", "--test", "60"];
  await gmcJson(["data", "synth", "--out", "data/synth", ...sizes], folder.path);
  server = start(["data", "serve", "data/synth", "--port", "0", "--json"], folder.path);
  url = await new Promise<string>((resolve, reject) => {
    let text = "";
    server.child.stdout?.on("data", (chunk) => {
      text += chunk;
      if (text.trimEnd().endsWith("}")) resolve((JSON.parse(text) as { url: string }).url);
    });
    void server.ended.then(({ stderr }) => reject(new Error(stderr)));
  });
});
afterAll(() => {
  server.child.kill("SIGKILL");
  folder.close();
});

/** With a cache of the test's own. */
async function gmc<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr }: Ended = await start([...args, "--json"], folder.path, { GMC_CACHE: cache }).ended;
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

const train = (path: string, out: string) => {
  const small = ["--training.epochs", "1", "--training.shards", "2"];
  return gmc<TrainDocument>("train", join(ROOT, "examples/demo.yaml"), "--data.path", path, ...small, "--out", out);
};

test("a run on a data set by URL ends with the bits of one on its folder, and fetches the train split only", async () => {
  const [byPath, byUrl] = [await train("data/synth", "runs/path"), await train(url, "runs/url")];
  expect(byUrl.weightsSha256).toBe(byPath.weightsSha256);
  const environment = JSON.parse(readFileSync(join(folder.path, "runs/url/environment.json"), "utf8"));
  expect(environment.data.path).toBe(url);
  expect(existsSync(join(cache, "datasets", environment.data.sha256, "train"))).toBe(true);
  expect(existsSync(join(cache, "datasets", environment.data.sha256, "test"))).toBe(false);
});

test("the commands around it take the URL too, and go on without the server", async () => {
  const { accuracy } = await gmc<{ accuracy: Record<string, number> }>("evaluate", "runs/url");
  expect(Object.keys(accuracy)).toContain("complete");
  const { sha256, samples } = await gmc<{ sha256: string; samples: number }>("data", "inspect", url, "--no-sheet");
  const local = await gmc<{ sha256: string }>("data", "inspect", "data/synth", "--no-sheet");
  expect([sha256, samples]).toEqual([local.sha256, 360]);
  await gmc("config", join(ROOT, "examples/demo.yaml"), "--data.path", url);
  server.child.kill("SIGINT");
  expect(await server.ended).toMatchObject({ code: 0 });
  const resumed = ["--resume", "--out", "runs/url", "--training.epochs", "2"];
  expect(await gmc<TrainDocument>("train", ...resumed)).toMatchObject({ status: "finished", epochs: 2 });
  rmSync(cache, { recursive: true });
  const { code, stderr } = await start(["train", ...resumed], folder.path, { GMC_CACHE: cache }).ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(/cannot be reached.*gmc data serve/);
});
