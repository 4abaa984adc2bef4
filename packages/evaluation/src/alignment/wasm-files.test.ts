import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { buildKernels } from "./wat/build.mjs";

test("the committed kernels are what their sources compile to", async () => {
  for (const { file, text } of await buildKernels()) {
    expect(await readFile(new URL(file, import.meta.url), "utf8"), `run wat/build.mjs: ${file} is stale`).toBe(text);
  }
});
