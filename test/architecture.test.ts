import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Imports point to a smaller number, never sideways. */
const LEVELS: Readonly<Record<string, number>> = {
  core: 0,
  protocol: 1,
  storage: 1,
  redis: 1,
  models: 1,
  data: 2,
  engine: 2,
  collectives: 2,
  trainer: 3,
  evaluation: 4,
  experiment: 5,
  jobs: 6,
  coordinator: 7,
  worker: 7,
  cli: 8,
};
/** A heavy dependency has few owners. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "onnxruntime-node": ["engine"],
  koffi: ["engine"],
  piscina: ["data", "engine", "evaluation"],
  ioredis: ["redis"],
  bullmq: ["jobs", "coordinator"],
  "@bull-board/api": ["coordinator"],
  "prom-client": ["coordinator", "worker"],
  protobufjs: ["protocol", "engine"],
  commander: ["cli"],
  pino: ["cli"],
};

const packages = new URL("../packages/", import.meta.url);
const names = readdirSync(packages);
type Dependencies = Readonly<Record<string, string>>;
const manifest = (name: string): { dependencies?: Dependencies; devDependencies?: Dependencies; files?: string[] } =>
  JSON.parse(readFileSync(new URL(`${name}/package.json`, packages), "utf8"));
const ours = (dependencies: Dependencies = {}) =>
  Object.keys(dependencies)
    .filter((name) => name.startsWith("@gmc/"))
    .map((name) => name.slice("@gmc/".length));
const sources = (folder: URL): URL[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(new URL(`${entry.name}/`, folder))
      : entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts")
        ? [new URL(entry.name, folder)]
        : [],
  );

test("every package has a level, a README and a one-sentence description", () => {
  expect(names.filter((name) => name !== "testkit" && !(name in LEVELS))).toEqual([]);
  expect(names.filter((name) => !existsSync(new URL(`${name}/README.md`, packages)))).toEqual([]);
});

test.each(Object.keys(LEVELS))("%s depends on smaller levels only, and on the testkit only in tests", (name) => {
  const { dependencies, devDependencies } = manifest(name);
  const level = LEVELS[name]!;
  expect(ours(dependencies).filter((other) => !((LEVELS[other] ?? Number.POSITIVE_INFINITY) < level))).toEqual([]);
  expect(ours(devDependencies).filter((other) => other !== "testkit" && !((LEVELS[other] ?? 99) < level))).toEqual([]);
});

test.each(Object.entries(OWNERS))("%s is a dependency of %j alone", (dependency, owners) => {
  const users = names.filter((name) => dependency in (manifest(name).dependencies ?? {}));
  expect(users.filter((name) => !owners.includes(name))).toEqual([]);
});

test("only cli reads process.env, and what sets native libraries up, which read nothing else", () => {
  const readers = names
    .filter((name) => name !== "cli" && name !== "testkit")
    .flatMap((name) => sources(new URL(`${name}/src/`, packages)))
    .filter((file) => readFileSync(file, "utf8").includes("process.env"))
    .filter((file) => !/engine\/src\/(tensorflow\/environment|runners\/telemetry)\.ts$/.test(file.pathname));
  expect(readers.map((file) => file.pathname)).toEqual([]);
});
