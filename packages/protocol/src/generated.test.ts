import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generateMessages } from "../scripts/generate-messages.mjs";
import { buildKernel } from "./wat/build.mjs";

const committed = (file: string) => readFile(new URL(file, import.meta.url), "utf8");

test("the committed messages are what the .proto files say", async () => {
  expect(await committed("messages.gen.ts"), "run scripts/generate-messages.mjs").toBe(generateMessages());
});

test("the committed kernel is what its source compiles to", async () => {
  expect(await committed("float-blocks.gen.ts"), "run wat/build.mjs").toBe(await buildKernel());
});
