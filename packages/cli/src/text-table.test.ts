import { expect, test } from "vitest";
import { byteSize, textTable } from "./text-table.ts";

test("words stand left and numbers right, under a line below the head", () => {
  expect(
    textTable([
      ["part", "parameters"],
      ["image", "1,024"],
      ["head", "7"],
    ]),
  ).toBe(["part   parameters", "─────────────────", "image       1,024", "head            7"].join("\n"));
});

test.each([
  [999, "999 B"],
  [1000, "1.0 kB"],
  [12_345_678, "12 MB"],
  [999_999_999, "1.0 GB"],
])("%d bytes read as %s", (bytes, text) => expect(byteSize(bytes)).toBe(text));
