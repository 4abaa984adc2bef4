import { ConfigError } from "@gmc/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseConfig } from "./parse-config.ts";

const Schedule = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant") }).readonly(),
  z.strictObject({ kind: z.literal("cosine"), warmupSteps: z.int().min(0).default(5) }).readonly(),
]);
const schema = z.strictObject({
  seed: z.int().min(0).default(0).describe("Seed."),
  name: z.string().default("run"),
  data: z
    .strictObject({ path: z.string().describe("Folder.") })
    .readonly()
    .prefault({} as never),
  training: z
    .strictObject({
      batchSize: z.int().positive().default(64).describe("Rows."),
      clipNorm: z.number().gt(0).optional(),
      optimizer: z
        .strictObject({ kind: z.enum(["adam", "adamw"]).default("adam"), rate: z.number().default(0.1) })
        .prefault({}),
      schedule: Schedule.prefault({ kind: "constant" }),
      subsets: z.union([z.literal("singles"), z.array(z.array(z.string()))]).default("singles"),
    })
    .readonly()
    .prefault({}),
  parts: z
    .record(z.string(), z.strictObject({ width: z.int(), options: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});
const FILE = "data:\n  path: x\n";
const parse = (content: string, ...overrides: [string, unknown][]) =>
  parseConfig(schema, { content, name: "demo.yaml", overrides });
const problem = (content: string, ...overrides: [string, unknown][]): string => {
  try {
    parse(content, ...overrides);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the config was accepted");
};

describe("values", () => {
  test("defaults are filled in and everything is frozen", () => {
    const config = parse(FILE);
    expect(config.training.batchSize).toBe(64);
    expect(Object.isFrozen(config.training.schedule) && Object.isFrozen(config.data)).toBe(true);
  });

  test("a flag's text follows YAML's rules, and a text field takes it as it is", () => {
    const config = parse(
      FILE,
      ["training.batchSize", "128"],
      ["training.clipNorm", "1e-3"],
      ["name", "128"],
      ["data.path", "2024"],
    );
    expect([config.training.batchSize, config.training.clipNorm, config.name, config.data.path]).toEqual([
      128,
      0.001,
      "128",
      "2024",
    ]);
    expect(parse(FILE, ["training.subsets", "[[image, sound]]"]).training.subsets).toEqual([["image", "sound"]]);
  });

  test("an override makes the sections on its way", () => {
    expect(parse(FILE, ["parts.image.width", "3"]).parts).toEqual({ image: { width: 3 } });
  });

  test("another kind drops what only the old variant knows, in any order of the flags", () => {
    const file = `${FILE}training:\n  schedule:\n    kind: cosine\n    warmupSteps: 9\n`;
    expect(parse(file, ["training.schedule.kind", "constant"]).training.schedule).toEqual({ kind: "constant" });
    const flags: [string, unknown][] = [
      ["training.schedule.warmupSteps", "7"],
      ["training.schedule.kind", "cosine"],
    ];
    expect(parse(FILE, ...flags).training.schedule).toEqual({ kind: "cosine", warmupSteps: 7 });
    expect(
      parse(`${FILE}training: {optimizer: {rate: 0.5}}`, ["training.optimizer.kind", "adamw"]).training.optimizer.rate,
    ).toBe(0.5);
  });

  test("an empty value is the default, and a null below free options stays", () => {
    expect(parse(`${FILE}training:\nseed:\n`).training.batchSize).toBe(64);
    expect(parse(`${FILE}parts: {a: {width: 1, options: {x: null}}}`).parts?.a?.options).toEqual({ x: null });
  });
});

describe("mistakes", () => {
  test.each([
    [
      `${FILE}training:\n  bachSize: 3\n`,
      "training.bachSize is not a known key (line 4 of demo.yaml); did you mean training.batchSize?",
    ],
    [`${FILE}batchSize: 3\n`, "batchSize is not a known key (line 3 of demo.yaml); did you mean training.batchSize?"],
    [
      `${FILE}training:\n  schedule: {kind: cosine, warmpSteps: 1}\n`,
      "training.schedule.warmpSteps is not a known key (line 4 of demo.yaml); did you mean training.schedule.warmupSteps?",
    ],
    [
      `${FILE}zzzzzz: 3\n`,
      "zzzzzz is not a known key (line 3 of demo.yaml); known here: seed, name, data, training, parts",
    ],
  ])("an unknown key is named with the nearest known one: %j", (content, message) =>
    expect(problem(content)).toBe(message),
  );

  test.each([
    [
      `${FILE}training:\n  batchSize: many\n`,
      'training.batchSize: expected integer > 0, received "many" (line 4 of demo.yaml)',
    ],
    [
      `${FILE}training:\n  batchSize: 0\n`,
      "training.batchSize: expected integer > 0, received 0 (line 4 of demo.yaml)",
    ],
    [
      `${FILE}training:\n  optimizer:\n    kind: sgd\n`,
      'training.optimizer.kind: expected one of adam | adamw, received "sgd" (line 5 of demo.yaml)',
    ],
    [
      `${FILE}training:\n  schedule: {kind: linear}\n`,
      'training.schedule.kind: expected constant | cosine, received "linear" (line 4 of demo.yaml)',
    ],
    [
      `${FILE}training:\n  subsets: foo\n`,
      'training.subsets: expected singles or array, received "foo" (line 4 of demo.yaml)',
    ],
    [`${FILE}training: 3\n`, "training: expected section, received 3 (line 3 of demo.yaml)"],
    ["seed: 1\n", "data.path is missing: expected text"],
  ])("a bad value names path, expectation, value and line: %j", (content, message) =>
    expect(problem(content)).toBe(message),
  );

  test("a bad flag is named as a flag", () => {
    expect(problem(FILE, ["training.batchSize", "-1"])).toBe(
      "training.batchSize: expected integer > 0, received -1 (--training.batchSize)",
    );
    expect(problem(FILE, ["training.bachSize", "1"])).toContain(
      "training.bachSize is not a known key (--training.bachSize); did you mean training.batchSize?",
    );
    expect(problem(FILE, ["seed.x", "1"])).toContain("seed");
  });

  test("broken YAML names its line", () =>
    expect(problem("data:\n  path: [1\n")).toMatch(/^demo.yaml, line \d+, column \d+: /));

  test("a key named __proto__ is a key like another", () => {
    expect(problem(FILE, ["__proto__.x", "1"])).toContain("__proto__ is not a known key");
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
