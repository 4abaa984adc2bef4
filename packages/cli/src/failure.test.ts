import { CancelledError, ConfigError, NonFiniteError } from "@gmc/core";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { describeFailure } from "./failure.ts";

test("a user's mistake is exit code 2, one line, and a document with code, message and details", () => {
  const failure = describeFailure(new ConfigError("a.b: expected 1", { path: "a.b" }), false);
  expect(failure.exitCode).toBe(2);
  expect(failure.text).toBe("gmc: a.b: expected 1");
  expect(failure.document).toEqual({
    error: { code: "ERR_CONFIG", message: "a.b: expected 1", details: { path: "a.b" } },
  });
});

test("commander's refusals are the user's mistakes, in one line", () => {
  const failure = describeFailure(
    new CommanderError(1, "commander.unknownOption", "error: unknown option '--jsn'\n(Did you mean --json?)"),
    false,
  );
  expect(failure).toMatchObject({ exitCode: 2, text: "gmc: unknown option '--jsn' (Did you mean --json?)" });
});

test.each([
  [new NonFiniteError("step 3"), 1],
  [new CancelledError("stopped"), 130],
  [new Error("boom"), 1],
  [Object.assign(new Error("ENOENT: no such file, open 'x'"), { code: "ENOENT", syscall: "open", path: "x" }), 2],
])("%s is exit code %d", (error, exitCode) => expect(describeFailure(error, false).exitCode).toBe(exitCode));

test("the stack of an unforeseen error is shown only when asked for", () => {
  expect(describeFailure(new Error("boom"), false).text).not.toContain("    at ");
  expect(describeFailure(new Error("boom"), true).text).toContain("    at ");
});
