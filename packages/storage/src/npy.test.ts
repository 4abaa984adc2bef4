import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { type DType, ITEM_BYTES, type NumericArray, toFloat32 } from "./dtypes.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";
import { openNpy } from "./npy-file.ts";
import { createNpy } from "./npy-writer.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}.npy`, import.meta.url));
const counted = Array.from({ length: 12 }, (_, i) => i - 3);
const quarters = counted.map((value) => value / 4);
const written: readonly [DType, NumericArray][] = [
  ["float64", Float64Array.from(quarters)],
  ["float32", Float32Array.from(quarters)],
  ["int64", BigInt64Array.from(counted.map(BigInt))],
  ["int32", Int32Array.from(counted)],
  ["int16", Int16Array.from(counted)],
  ["int8", Int8Array.from(counted)],
  ["uint64", BigUint64Array.from(counted.map((v) => BigInt(v + 3)))],
  ["uint32", Uint32Array.from(counted.map((v) => v + 3))],
  ["uint16", Uint16Array.from(counted.map((v) => v + 3))],
  ["uint8", Uint8Array.from(counted.map((v) => v + 3))],
  ["bool", Uint8Array.from(counted.map((v) => (v % 2 === 0 ? 1 : 0)))],
];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-npy-"));
});

describe("files written by numpy", () => {
  test.each(written)("%s is decoded to the values numpy wrote", async (dtype, values) => {
    const array = decodeNpy(await readFile(fixture(dtype)));
    expect(array).toEqual({ dtype, shape: [4, 3], data: values });
  });

  test.each(written)(
    "%s is encoded to numpy's values behind a head that names the same type",
    async (dtype, values) => {
      const theirs = await readFile(fixture(dtype));
      const ours = encodeNpy(values, [4, 3], dtype);
      expect(ours.subarray(-12 * ITEM_BYTES[dtype])).toEqual(new Uint8Array(theirs.subarray(-12 * ITEM_BYTES[dtype])));
      const descr = (bytes: Uint8Array) => /'descr': '..?\d'/.exec(Buffer.from(bytes).toString("latin1"))?.[0];
      expect(descr(ours)).toBe(descr(theirs));
      expect((ours.length - 12 * ITEM_BYTES[dtype]) % 64).toBe(0);
    },
  );

  test("half floats come as the float32 of the same value, subnormals and infinities too", async () => {
    const { dtype, data } = decodeNpy(await readFile(fixture("float16-edges")));
    expect(dtype).toBe("float16");
    expect([...toFloat32(data)]).toEqual([
      2 ** -24,
      2 ** -14,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      -0,
      1 + 2 ** -10,
    ]);
    expect(toFloat32(decodeNpy(await readFile(fixture("float16"))).data)).toEqual(Float32Array.from(quarters));
  });

  test("big-endian elements, a version 2 head, a scalar and a vector are read", async () => {
    expect(decodeNpy(await readFile(fixture("big-endian"))).data).toEqual(Float32Array.from(quarters));
    expect(decodeNpy(await readFile(fixture("version-2"))).data).toEqual(Int32Array.from(counted));
    expect(decodeNpy(await readFile(fixture("scalar")))).toEqual({
      dtype: "float64",
      shape: [],
      data: Float64Array.of(2.5),
    });
    expect(decodeNpy(await readFile(fixture("vector"))).shape).toEqual([5]);
  });

  test("Fortran order, strings and foreign files are refused with what to do", async () => {
    const decode = async (name: string) => decodeNpy(await readFile(fixture(name)), name);
    await expect(decode("fortran")).rejects.toThrow(/ascontiguousarray/);
    await expect(decode("strings")).rejects.toThrow(/'<U1' are not supported; expected one of f8/);
    expect(() => decodeNpy(Buffer.from("PK and more bytes"), "a.npy")).toThrow(/a\.npy is not an npy file/);
    expect(() => decodeNpy(encodeNpy(Float32Array.of(1, 2), [2]).subarray(0, -1), "a.npy")).toThrow(/cut short/);
  });
});

describe("openNpy", () => {
  test.each(["float32", "int64", "uint8", "float16", "big-endian"])(
    "%s rows are read by range, both ways",
    async (name) => {
      const whole = [...decodeNpy(await readFile(fixture(name))).data];
      const file = await openNpy(fixture(name));
      expect({ rows: file.rows, rowShape: file.rowShape, rowLength: file.rowLength }).toEqual({
        rows: 4,
        rowShape: [3],
        rowLength: 3,
      });
      expect([...(await file.readRows(1, 3))]).toEqual(whole.slice(3, 9));
      expect([...file.readRowsSync(3, 4)]).toEqual(whole.slice(9));
      expect(await file.readRows(2, 2)).toHaveLength(0);
      await expect(file.readRows(3, 5)).rejects.toThrow(/rows \[3, 5\) asked for, it has 4/);
      await file.close();
    },
  );

  test("a file shorter than its shape says, or missing, is refused when it is opened", async () => {
    const path = join(folder, "short.npy");
    const bytes = encodeNpy(new Float32Array(100), [50, 2]);
    await writeFile(path, bytes);
    await truncate(path, bytes.length - 4);
    await expect(openNpy(path)).rejects.toThrow(/short\.npy is cut short: shape \[50,2\] of float32 needs/);
    await expect(openNpy(join(folder, "none.npy"))).rejects.toThrow(/none\.npy cannot be opened/);
  });
});

describe("createNpy", () => {
  test.each(written)(
    "%s rows appended in uneven pieces come back, the head as if written at once",
    async (dtype, values) => {
      const path = join(folder, `${dtype}.npy`);
      const writer = await createNpy(path, dtype, [3]);
      await writer.append(values.subarray(0, 3));
      await writer.append(values.subarray(3, 12));
      expect(existsSync(path)).toBe(false);
      const { rows, bytes } = await writer.finish();
      expect(rows).toBe(4);
      const file = await readFile(path);
      expect(file.length).toBe(bytes);
      expect(new Uint8Array(file)).toEqual(new Uint8Array(encodeNpy(values, [4, 3], dtype)));
    },
  );

  test("rows larger and smaller than its buffer keep their order", async () => {
    const path = join(folder, "large.npy");
    const writer = await createNpy(path, "float32", [1000]);
    const row = new Float32Array(1000);
    const block = new Float32Array(400_000).map((_, i) => i);
    for (let i = 0; i < 300; i++) await writer.append(row.fill(i));
    await writer.append(block);
    await writer.append(row.fill(7));
    await writer.finish();
    const file = await openNpy(path);
    expect(file.shape).toEqual([701, 1000]);
    for (const i of [0, 261, 262, 299]) expect((await file.readRows(i, i + 1))[999]).toBe(i);
    expect(await file.readRows(300, 700)).toEqual(block);
    expect((await file.readRows(700, 701))[0]).toBe(7);
    await file.close();
  });

  test("scalars a row, elements that are not whole rows, another type, and a dropped file", async () => {
    const path = join(folder, "scalars.npy");
    const writer = await createNpy(path, "int32", []);
    await writer.append(Int32Array.of(4, 5, 6));
    await writer.finish();
    expect(decodeNpy(await readFile(path))).toEqual({ dtype: "int32", shape: [3], data: Int32Array.of(4, 5, 6) });
    const dropped = await createNpy(join(folder, "dropped.npy"), "float32", [2]);
    await expect(dropped.append(new Float32Array(3))).rejects.toThrow(/expected shape \[2\], received \[3\]/);
    await expect(dropped.append(new Float64Array(2))).rejects.toThrow(/rows are float32, received float64/);
    await dropped.close();
    expect(readdirSync(folder).filter((name) => name.includes("dropped"))).toEqual([]);
  });
});
