import { expect, test } from "vitest";
import { treeSplit, treeSum, treeSumScalars } from "./tree-sum.ts";

const block = (...values: number[]) => Float32Array.from(values);

test("the tree splits at the largest power of two below n", () => {
  expect([2, 3, 4, 5, 6, 7, 8, 9].map(treeSplit)).toEqual([1, 2, 2, 4, 4, 4, 4, 8]);
  expect(() => treeSplit(1)).toThrow(RangeError);
});

test("five blocks are summed as ((a+b)+(c+d))+e, rounded to float32 at every node", () => {
  const [a, b, c, d, e] = [1e8, 1, -1e8, 3, 0.1].map((value) => block(value)) as Float32Array[];
  const node = (x: number, y: number) => Math.fround(Math.fround(x) + Math.fround(y));
  const expected = node(node(node(1e8, 1), node(-1e8, 3)), 0.1);
  expect(treeSum([a!, b!, c!, d!, e!], block(0))[0]).toBe(expected);
  expect(expected).not.toBe(node(node(node(node(1e8, 1), -1e8), 3), 0.1)); // the order of arrival would differ
});

test("an owner of a whole subtree may add it up alone", () => {
  const blocks = Array.from({ length: 8 }, (_, v) => block(Math.sin(v) * 10 ** v, Math.cos(v)));
  const left = treeSum(blocks.slice(0, 4), block(0, 0));
  const right = treeSum(blocks.slice(4), block(0, 0));
  expect(treeSum([left, right], block(0, 0))).toEqual(treeSum(blocks, block(0, 0)));
});

test("the sum may be written over one of the blocks, and the others stay as they were", () => {
  const [a, b] = [block(1, 2), block(3, 4)];
  expect(treeSum([a, b], a)).toBe(a);
  expect([...a]).toEqual([4, 6]);
  expect([...b]).toEqual([3, 4]);
});

test("scalars use the same tree", () => {
  expect(treeSumScalars([])).toBe(0);
  expect(treeSumScalars([2])).toBe(2);
  expect(treeSumScalars([0.1, 0.2, 0.3])).toBe(0.1 + 0.2 + 0.3);
  expect(treeSumScalars([1e16, 1, -1e16, 1])).toBe(1e16 + 1 + (-1e16 + 1));
});
