import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../e2e/gmc.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const setUp = (...args: string[]) =>
  spawnSync(process.execPath, [join(ROOT, "infra/setup-tensorflow.mjs"), ...args], { encoding: "utf8" });

describe.skipIf(tensorflowMissing)("npm run setup:tensorflow", () => {
  test("a second time checks what is there, lets it compute, and leaves it", () => {
    const { status, stderr, stdout } = setUp();
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/TensorFlow \d+\.\d+\.\d+ is there already, unchanged; it computes on the CPU/);
    expect(stdout).toBe(""); // a command's own document may follow
  });

  test("an option that it does not know is a mistake", () => {
    const { status, stderr } = setUp("--cuda");
    expect(status).toBe(2);
    expect(stderr).toMatch(/Unknown: --cuda\. Usage: npm run setup:tensorflow/);
  });
});
