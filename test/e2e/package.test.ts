import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT, workFolder } from "./gmc.ts";

const run = promisify(execFile);
const folder = workFolder();
const project = join(folder.path, "project");
const PACKAGES = readdirSync(join(ROOT, "packages")).filter((name) => name !== "testkit");
const npm = (args: string[], cwd: string) =>
  run("npm", args, { cwd, maxBuffer: 1 << 26, shell: process.platform === "win32" });

beforeAll(async () => {
  if (!existsSync(join(ROOT, "packages/cli/dist/main.js"))) await run("npx", ["tsc", "-b"], { cwd: ROOT });
  const workspaces = PACKAGES.flatMap((name) => ["-w", `@gmc/${name}`]);
  await npm(["pack", "--ignore-scripts", "--pack-destination", folder.path, ...workspaces], ROOT);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  const tarballs = readdirSync(folder.path).filter((name) => name.endsWith(".tgz"));
  expect(tarballs).toHaveLength(PACKAGES.length);
  const paths = tarballs.map((name) => join("..", name));
  await npm(["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", ...paths], project);
});
afterAll(() => folder.close());

test("the README's example trains and encodes from code, in an empty project with the packed packages", async () => {
  const readme = readFileSync(join(ROOT, "packages/experiment/README.md"), "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  expect(example.trim().split("\n").length).toBeLessThanOrEqual(10);
  writeFileSync(join(project, "example.js"), example);
  const { stdout } = await run(process.execPath, ["example.js"], { cwd: project });
  expect(stdout).toMatch(/finished.*[0-9a-f]{64}/s);
  expect(existsSync(join(project, "runs/library/run.json"))).toBe(true);
});

test("the packed command runs from its build, without TypeScript in sight", async () => {
  const { stdout } = await npm(["exec", "--", "gmc", "doctor", "--json"], project);
  expect(JSON.parse(stdout).ok).toBe(true);
  const shipped = readdirSync(join(project, "node_modules/@gmc/cli"), { recursive: true }).map(String);
  expect(shipped.filter((name) => /\.test\.|^src/.test(name))).toEqual([]);
});
