import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { gmc, gmcJson, ROOT, run, workFolder } from "./gmc.ts";

const folder = workFolder();
afterAll(() => folder.close());

test("the commands of examples/own-data train three modalities of a user's own, through config alone", async () => {
  cpSync(join(ROOT, "examples/own-data"), join(folder.path, "examples/own-data"), { recursive: true });
  const readme = readFileSync(join(ROOT, "examples/own-data/README.md"), "utf8");
  const commands = (/```sh\n(.*?)```/s.exec(readme)?.[1] ?? "").trim().split("\n");
  expect(commands.length).toBeGreaterThan(4);
  for (const line of commands) {
    const [program, ...args] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const ended = program === "npx" ? await gmc(args.slice(1), folder.path) : await run(args, folder.path);
    expect(ended.code, `${line}\n${ended.stderr}`).toBe(0);
  }
  expect(existsSync(join(folder.path, "data/own/contact-sheet.png"))).toBe(true);
  const { accuracy } = await gmcJson<{ accuracy: Record<string, number> }>(["evaluate", "runs/own"], folder.path);
  expect(Object.keys(accuracy).sort()).toEqual(["complete", "growth", "photo", "scales"]);
  expect(accuracy.complete).toBeGreaterThan(0.8); // three species, a third is chance
  expect(accuracy.photo).toBeGreaterThan(0.5);
});

test("the same files without labels train too, and evaluate gives retrieval", async () => {
  const yaml = readFileSync(join(folder.path, "examples/own-data/import.yaml"), "utf8");
  const unlabelled = join(folder.path, "examples/own-data/unlabelled.yaml");
  writeFileSync(unlabelled, yaml.replace(/^labels:.*$/m, ""));
  await gmcJson(["data", "import", unlabelled, "--out", "data/unlabelled"], folder.path);
  const config = join(folder.path, "examples/own-data/config.yaml");
  const args = [
    "train",
    config,
    "--data.path",
    "data/unlabelled",
    "--training.epochs",
    "1",
    "--out",
    "runs/unlabelled",
  ];
  await gmcJson(args, folder.path);
  const document = await gmcJson<Record<string, unknown>>(["evaluate", "runs/unlabelled"], folder.path);
  expect(document.accuracy).toBeUndefined();
  expect(document.retrieval).toMatchObject({ photo: { growth: { "recall@1": expect.any(Number) } } });
});
