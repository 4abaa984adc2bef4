import { expect, test } from "vitest";
import { DataConfig } from "./config.ts";

test("a path is all that must be given", () => {
  expect(DataConfig.parse({ path: "data/synth" })).toEqual({
    path: "data/synth",
    trainSplit: "train",
    testSplit: "test",
    threads: 1,
    prefetch: 4,
  });
  expect(() => DataConfig.parse({})).toThrow();
});

test("an unknown key is refused", () => {
  expect(() => DataConfig.parse({ path: "x", thread: 2 })).toThrow(/thread/);
});
