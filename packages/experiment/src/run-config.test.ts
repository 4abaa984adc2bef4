import { ConfigError } from "@gmc/core";
import { expect, test } from "vitest";
import { configSha256, formatRunConfig, parseRunConfig, runConfigFields } from "./run-config.ts";

const DATA = { data: { path: "data" } };

test("an effective config reads back as itself, with the same sha256 whatever order it was written in", () => {
  const config = parseRunConfig("training: {epochs: 3, batchSize: 32}\nseed: 5\ndata: {path: data}\n");
  const again = parseRunConfig(formatRunConfig(config));
  expect(again).toEqual(config);
  expect(configSha256(again)).toBe(configSha256(config));
  expect(configSha256(parseRunConfig({ ...DATA, seed: 5, training: { batchSize: 32, epochs: 3 } }))).toBe(
    configSha256(config),
  );
  expect(configSha256(parseRunConfig({ ...DATA, seed: 6 }))).not.toBe(configSha256(config));
});

test("values that contradict each other are refused", () => {
  expect(() => parseRunConfig(DATA, [["training.shards", "3"]])).toThrow(ConfigError);
});

test("a module's relative path starts at the config file's folder", () => {
  const yaml =
    "data: {path: d}\nmodel: {modalities: {a: {encoder: {kind: module, path: ./mine.mjs, options: {kind: module, path: x}}}}}";
  const { modalities } = parseRunConfig(yaml, [], { file: "/configs/a.yaml" }).model;
  expect(modalities?.a?.encoder).toMatchObject({ path: "/configs/mine.mjs", options: { kind: "module", path: "x" } });
});

test("every value of a config has a type and a description for --help", () => {
  const fields = runConfigFields();
  expect(fields.length).toBeGreaterThan(40);
  expect(fields.filter(({ description, type }) => description === "" || type === "").map(({ path }) => path)).toEqual(
    [],
  );
  expect(new Set(fields.map(({ path }) => path)).size).toBe(fields.length);
  expect(fields.find(({ path }) => path === "training.schedule.kind")).toMatchObject({
    type: "constant | cosine",
    default: "constant",
  });
});
