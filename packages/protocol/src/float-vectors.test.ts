import { expect, test } from "vitest";
import { addVectors, packVector, roundVector, unpackVector } from "./float-vectors.ts";
import { wireBytes } from "./wire-format.ts";

/** bfloat16 of one float, nearest with ties to even, from the definition: the closest of the two neighbours with 16 bits. */
function reference(value: number): number {
  if (Number.isNaN(value)) return value;
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const below = bits - (bits % 0x10000);
  const rest = bits % 0x10000;
  const up = rest > 0x8000 || (rest === 0x8000 && (below / 0x10000) % 2 === 1);
  return new Float32Array(Uint32Array.of(below + (up ? 0x10000 : 0)).buffer)[0]!;
}

const SPECIAL = [
  0,
  -0,
  1,
  -1,
  1.00390625,
  1.01171875,
  3.3895313892515355e38,
  3.4028234663852886e38,
  -3.4028234663852886e38,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  1.401298464324817e-45,
  1.1754943508222875e-38,
  6.1e-39,
];
const odd = (length: number) =>
  Float32Array.from({ length }, (_, i) => SPECIAL[i % 17] ?? Math.sin(i * 12.9898) * 10 ** ((i % 61) - 30));

test.each([0, 1, 7, 8, 9, 4095, 4096, 4097, 10_001])(
  "%d floats round to the nearest bfloat16, ties to even",
  (length) => {
    const values = odd(length);
    const expected = values.map(reference);
    roundVector(values, "bf16");
    expect(values).toEqual(expected);
    roundVector(values, "bf16");
    expect(values).toEqual(expected);
  },
);

test("a tie goes to the even neighbour, the largest floats to infinity, and a NaN stays one", () => {
  const values = Float32Array.of(1.00390625, 1.01171875, 3.4028234663852886e38, Number.NaN);
  roundVector(values, "bf16");
  expect([...values]).toEqual([1, 1.015625, Number.POSITIVE_INFINITY, Number.NaN]);
  const signalling = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer); // would become an infinity if cut
  roundVector(signalling, "bf16");
  expect([...signalling]).toEqual([Number.NaN, Number.NaN]);
});

test.each(["fp32", "bf16"] as const)(
  "%s: what was packed at odd places comes back rounded, and nothing beside it changes",
  (wire) => {
    const values = odd(9001);
    const bytes = new Uint8Array(9001 * 4 + 16).fill(7);
    packVector(values, 3, 8990, wire, bytes, 5);
    const back = new Float32Array(9001).fill(9);
    unpackVector(bytes, 5, 8990, wire, back, 1);
    const expected = values.slice(3, 8993);
    roundVector(expected, wire);
    expect(back.subarray(1, 8991)).toEqual(expected);
    expect([back[0], ...back.subarray(8991)]).toEqual(Array(11).fill(9));
    const end = 5 + 8990 * wireBytes(wire);
    expect(new Set([...bytes.subarray(0, 5), ...bytes.subarray(end)])).toEqual(new Set([7]));
  },
);

test.each(["fp32", "bf16"] as const)("%s: a node of the tree is the float32 sum, rounded to the wire", (wire) => {
  const left = odd(5000);
  const right = odd(5000).reverse();
  const expected = left.map((value, i) => value + right[i]!);
  roundVector(expected, wire);
  addVectors(left, right, wire);
  expect(left).toEqual(expected);
});
