import { expect, test } from "vitest";
import type { WindowAxis } from "./window-groups.ts";
import { inputAt, inputGroups, outputGroups } from "./window-groups.ts";

const axis = (inputs: number, outputs: number, taps: number, stride: number, before: number): WindowAxis => ({
  inputs,
  outputs,
  taps,
  stride,
  dilation: 1,
  before,
});
const halving = axis(14, 7, 4, 2, 1);

test("outputs at the border form groups with fewer taps", () => {
  expect(outputGroups(halving)).toEqual([
    { outputs: [0], taps: [1, 2, 3] },
    { outputs: [1, 2, 3, 4, 5], taps: [0, 1, 2, 3] },
    { outputs: [6], taps: [0, 1, 2] },
  ]);
  expect(outputGroups(axis(6, 4, 3, 1, 0))).toEqual([{ outputs: [0, 1, 2, 3], taps: [0, 1, 2] }]); // no padding
});

test("with stride 2 and four taps, two neighbours are seen by the same two outputs", () => {
  const [first, inner, last] = inputGroups(halving);
  expect(first).toEqual({ blocks: [{ inputs: [0], outputs: [0] }], taps: [[1]] });
  expect(inner?.blocks[0]).toEqual({ inputs: [1, 2], outputs: [0, 1] });
  expect(inner?.blocks).toHaveLength(6);
  expect(inner?.taps).toEqual([
    [2, 0],
    [3, 1],
  ]);
  expect(last).toEqual({ blocks: [{ inputs: [13], outputs: [6] }], taps: [[2]] });
});

test("an input between the windows is seen by no output", () => {
  expect(inputGroups(axis(3, 2, 1, 2, 0))).toContainEqual({ blocks: [{ inputs: [1], outputs: [] }], taps: [[]] });
});

test.each([
  halving,
  axis(5, 5, 3, 1, 1),
  axis(7, 4, 3, 2, 1),
  axis(9, 3, 3, 3, 0),
  { ...axis(9, 5, 3, 1, 0), dilation: 2 },
])("both kinds of groups hold every pair of an output and a tap inside the input once: %j", (windows) => {
  const pairs = (list: string[]) => list.sort();
  const byOutput = outputGroups(windows).flatMap(({ outputs, taps }) =>
    outputs.flatMap((output) => taps.map((tap) => `${output} ${tap}`)),
  );
  const byInput = inputGroups(windows).flatMap(({ blocks, taps }) =>
    blocks.flatMap(({ inputs, outputs }) =>
      inputs.flatMap((input, i) =>
        outputs.map((output, k) => {
          const tap = taps[i]?.[k] ?? Number.NaN;
          expect(inputAt(windows, output, tap)).toBe(input);
          return `${output} ${tap}`;
        }),
      ),
    ),
  );
  expect(new Set(byOutput).size).toBe(byOutput.length);
  expect(pairs(byInput)).toEqual(pairs(byOutput));
});
