import { expect, test } from "vitest";
import { BENCHMARKS, parseBenchOptions } from "./options.ts";

test("without arguments all benchmarks run, in full", () => {
  const options = parseBenchOptions([]);
  expect(options).toMatchObject({ names: BENCHMARKS, profile: false, quick: false, json: false, engine: {} });
  expect(options).not.toHaveProperty("rounds");
});

test("--quick leaves out what takes long to start, unless it is named", () => {
  expect(parseBenchOptions(["--quick"]).names).toEqual(["gradient", "step", "replicas", "reduce", "memory"]);
  expect(parseBenchOptions(["--quick", "recovery"]).names).toEqual(["recovery"]);
});

test("named benchmarks run alone, in the order of the list", () => {
  expect(parseBenchOptions(["memory", "step", "--quick"])).toMatchObject({ names: ["step", "memory"], quick: true });
});

test("fields of the engine's configuration are numbers, booleans or text", () => {
  const args = ["--engine", "runner=c-api", "--engine", "replicas=2", "--engine", "a=true", "--engine", "b=x=y"];
  expect(parseBenchOptions(args).engine).toEqual({ runner: "c-api", replicas: 2, a: true, b: "x=y" });
});

test("the profile takes threads and batch", () => {
  expect(parseBenchOptions(["profile", "--threads", "2", "--batch", "256"])).toMatchObject({
    profile: true,
    threads: 2,
    batch: 256,
  });
});

test.each([
  [["speed"], /no benchmark "speed"; there are gradient, step/],
  [["profile", "step"], /profile runs alone/],
  [["--rounds", "0"], /--rounds is a number from 1, received 0/],
  [["--threads", "two"], /--threads is a number from 1, received two/],
  [["--engine", "runner"], /key=value, received runner/],
  [["--fast"], /--fast/],
])("%j is refused with what is wrong", (args, message) => {
  expect(() => parseBenchOptions(args)).toThrow(message);
});
