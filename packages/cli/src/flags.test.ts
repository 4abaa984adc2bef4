import { UsageError } from "@gmc/core";
import { expect, test } from "vitest";
import { splitFlags } from "./flags.ts";

test("flags with a dot become overrides, the others stay with the command in order", () => {
  const argv = [
    "train",
    "a.yaml",
    "--data.path",
    "d",
    "--seed",
    "3",
    "--training.loss=x=y",
    "--out",
    "runs/a",
    "--json",
  ];
  expect(splitFlags(argv)).toEqual({
    rest: ["train", "a.yaml", "--seed", "3", "--out", "runs/a", "--json"],
    overrides: [
      ["data.path", "d"],
      ["training.loss", "x=y"],
    ],
  });
});

test("a value may be negative or empty after an equals sign, and nothing is taken after --", () => {
  expect(splitFlags(["--a.b", "-1", "--c.d=", "--", "--e.f", "1"])).toEqual({
    rest: ["--", "--e.f", "1"],
    overrides: [
      ["a.b", "-1"],
      ["c.d", ""],
    ],
  });
});

test.each([[["--a.b"]], [["--a.b", "--json"]]])("a config flag without a value is refused: %j", (argv) => {
  expect(() => splitFlags(argv)).toThrow(UsageError);
});
