import { ConfigError } from "@gmc/core";
import { expect, test } from "vitest";
import { presentCases } from "./subsets.ts";

const MODALITIES = ["image", "sound", "label"];
const names = (...args: Parameters<typeof presentCases>) => presentCases(...args).map(({ name }) => name);

test("complete and every single modality are always there", () => {
  expect(presentCases(MODALITIES, "singles")).toEqual([
    { name: "complete", present: MODALITIES },
    { name: "image", present: ["image"] },
    { name: "sound", present: ["sound"] },
    { name: "label", present: ["label"] },
  ]);
});

test("subsets that are asked for come after them, in the model's order, each once", () => {
  expect(names(MODALITIES, [["sound", "image"], ["image", "sound"], ["label"], ["label", "sound", "image"]])).toEqual([
    "complete",
    "image",
    "sound",
    "label",
    "image+sound",
  ]);
});

test("all of three modalities are seven cases", () => {
  expect(names(MODALITIES, "all")).toEqual([
    "complete",
    "image",
    "sound",
    "label",
    "image+sound",
    "image+label",
    "sound+label",
  ]);
});

test("of a model with one modality the single one is the complete sample", () => {
  expect(names(["image"], "all")).toEqual(["complete"]);
});

test("an unknown name is refused with the known ones", () => {
  expect(() => presentCases(MODALITIES, [["video"]])).toThrow(ConfigError);
  expect(() => presentCases(MODALITIES, [["video"]])).toThrow('no modality "video"; it has image, sound, label');
});
