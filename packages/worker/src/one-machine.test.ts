import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { coreShares, coresOf, onCores, workerEnvironment } from "./one-machine.ts";

test.each([
  ["0", [0]],
  ["0-3", [0, 1, 2, 3]],
  ["0-1,4,6-7", [0, 1, 4, 6, 7]],
  ["", []],
])("the kernel's list %j is cores %j", (list, cores) => {
  expect(coresOf(list)).toEqual(cores);
});

test("one worker has all cores, and more threads than cores have none of their own", () => {
  expect(coreShares(1, 1)).toBeUndefined();
  expect(coreShares(2, availableParallelism())).toBeUndefined();
  expect(coreShares(availableParallelism() + 1, 1)).toBeUndefined();
});

const shares = coreShares(2, 1);
test.skipIf(!shares)("two workers have cores of their own, which a process started on them keeps to", () => {
  const [first = "", second = ""] = shares ?? [];
  expect(coresOf(first).length).toBe(coresOf(second).length);
  expect(coresOf(first).filter((core) => coresOf(second).includes(core))).toEqual([]);
  const status = `process.stdout.write(require("node:fs").readFileSync("/proc/self/status", "utf8"))`;
  const { program, args } = onCores(second, [process.execPath, "-e", status]);
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(execFileSync(program, args, { encoding: "utf8" }))?.[1] ?? "";
  expect(coresOf(list)).toEqual(second.split(",").map(Number));
});

test("without cores a command line stays as it is", () => {
  expect(onCores(undefined, ["node", "-v"])).toEqual({ program: "node", args: ["-v"] });
});

test("a worker of one thread has one for all programs", () => {
  expect(workerEnvironment(1)).toEqual({ UV_THREADPOOL_SIZE: "1" });
  expect(workerEnvironment(2)).toEqual({});
});
