import { expect, test } from "vitest";
import { canonicalJson, sha256OfJson } from "./canonical-json.ts";

test("the order of keys and undefined fields do not matter, the order of lists does", () => {
  expect(canonicalJson({ b: [1, { d: 1, c: null }], a: undefined })).toBe('{"b":[1,{"c":null,"d":1}]}');
  expect(sha256OfJson({ a: 1, b: 2 })).toBe(sha256OfJson({ b: 2, a: 1 }));
  expect(sha256OfJson([1, 2])).not.toBe(sha256OfJson([2, 1]));
});
