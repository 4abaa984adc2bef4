import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findBinding } from "./find-binding.ts";

const name = "@tensorflow/tfjs-node-gpu";
let cache: string;
let folder: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "gmc-tensorflow-"));
  folder = join(cache, `tfjs-node-gpu-4.22.0-${process.platform}-${process.arch}`, "node_modules", name);
});
afterAll(() => rm(cache, { recursive: true }));

test("a binding is found in the cache folder once its native library is there; before, it says what it looked for", async () => {
  const missing = findBinding(name, cache);
  expect(missing.folder).toBeUndefined();
  expect("lookedFor" in missing && missing.lookedFor).toEqual([
    `the package ${name} in node_modules: not installed`,
    `${folder}: missing`,
  ]);

  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), "{}");
  const unbuilt = findBinding(name, cache);
  expect("lookedFor" in unbuilt && unbuilt.lookedFor[1]).toMatch(
    /installed, but its native library .* was never built/,
  );

  await mkdir(join(folder, "lib", "napi-v8"), { recursive: true });
  await writeFile(join(folder, "lib", "napi-v8", "tfjs_binding.node"), "");
  expect(findBinding(name, cache)).toEqual({ package: name, folder });
});
