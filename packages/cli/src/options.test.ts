import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { addSubset, integer, names, oneOf } from "./options.ts";

test("integers, words and lists are read", () => {
  expect(integer(0)("7")).toBe(7);
  expect(oneOf("strokes", "mnist")("strokes")).toBe("strokes");
  expect(names("image, sound")).toEqual(["image", "sound"]);
  expect(addSubset("sound+label", addSubset("image,sound"))).toEqual([
    ["image", "sound"],
    ["sound", "label"],
  ]);
  expect(addSubset("all")).toBe("all");
});

test.each([
  () => integer(1)("0"),
  () => integer(0)("1.5"),
  () => integer(0)(""),
  () => oneOf("a", "b")("c"),
  () => names("a,,b"),
  () => addSubset("a+"),
])("what is not one is refused (%#)", (read) => expect(read).toThrow(InvalidArgumentError));
