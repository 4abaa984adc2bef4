import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DatasetServer, serveDataset } from "@gmc/data";
import { redisServerMissing } from "@gmc/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, gmcJson, ROOT, start, type TrainDocument, workFolder } from "../../e2e/gmc.ts";

const missing = redisServerMissing();

describe.skipIf(missing)(`workers that get their data by URL${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = workFolder();
  const asked: string[] = [];
  let server: DatasetServer;
  beforeAll(async () => {
    await gmcJson(["data", "synth", "--out", "data/synth", "--train", "300", "--test", "20"], folder.path);
    const logger = { info: (_: string, { path }: Record<string, unknown> = {}) => asked.push(String(path)), warn() {} };
    server = await serveDataset({ folder: join(folder.path, "data/synth"), logger, cache: join(folder.path, "sums") });
  });
  afterAll(async () => {
    await server?.close();
    folder.close();
  });

  const train = (path: string, ...more: string[]): Promise<Ended> => {
    const small = ["--training.epochs", "1", "--training.shards", "2", "--json"];
    const args = ["train", join(ROOT, "examples/demo.yaml"), "--data.path", path, ...small, ...more];
    return start(args, folder.path, { GMC_CACHE: join(folder.path, "cache") }).ended;
  };

  test("end with the bits of one process on the folder, and fetch each file once a host", async () => {
    const alone = await train("data/synth", "--out", "runs/alone");
    const together = await train(server.url, "--out", "runs/together", "--workers", "2");
    expect(together.code, together.stderr).toBe(0);
    const [one, two] = [alone, together].map(({ stdout }) => JSON.parse(stdout) as TrainDocument);
    expect(two?.weightsSha256).toBe(one?.weightsSha256);
    const files = asked.filter((path) => path.endsWith(".npy"));
    expect(files.length).toBeGreaterThan(3);
    expect(new Set(files).size).toBe(files.length); // each is smaller than a piece
  });

  test("refuse a run when the bytes are not those of the manifest, naming the file", async () => {
    cpSync(join(folder.path, "data/synth"), join(folder.path, "data/damaged"), { recursive: true });
    const file = join(folder.path, "data/damaged/train/sound.npy");
    writeFileSync(file, readFileSync(file).fill(1, 5000, 5100));
    const { code, stderr } = await train("data/damaged", "--out", "runs/damaged", "--workers", "2");
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/train\/sound\.npy has the sha256/);
  });
});
