import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sharedPath } from "@gmc/testkit";
import { beforeAll, expect, test } from "vitest";
import type { NamedTensor } from "./safetensors.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

const tensors: readonly NamedTensor[] = [
  { name: "b/uint8", shape: [3], data: Uint8Array.of(0, 128, 255) },
  { name: "float64", shape: [2, 1], data: Float64Array.of(Math.PI, -0) },
  { name: "float32", shape: [], data: Float32Array.of(1.5) },
  { name: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 62n), 5n) },
  { name: "int32", shape: [2], data: Int32Array.of(-7, 2 ** 31 - 1) },
  { name: "int16", shape: [2], data: Int16Array.of(-32768, 3) },
  { name: "int8", shape: [1, 1, 1], data: Int8Array.of(-128) },
  { name: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  { name: "uint32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  { name: "uint16", shape: [1], data: Uint16Array.of(65535) },
  { name: "bool", dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
  { name: "empty", shape: [0, 4], data: new Float32Array(0) },
];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-safetensors-"));
});

test("every element type, a scalar and an empty tensor come back as written, with the metadata", async () => {
  const path = join(folder, "all.safetensors");
  await writeSafetensors(path, tensors, { step: "12", ключ: "值" });
  const file = await readSafetensors(path);
  expect(file.metadata).toEqual({ step: "12", ключ: "值" });
  expect([...file.tensors.keys()]).toEqual(tensors.map(({ name }) => name));
  for (const { name, shape, data, dtype } of tensors) {
    expect(file.tensors.get(name)).toMatchObject({ shape, data });
    if (dtype) expect(file.tensors.get(name)?.dtype).toBe(dtype);
  }
});

test("the same tensors give the same bytes, the elements behind a header of a multiple of 8 bytes", async () => {
  const [first, second] = [join(folder, "1"), join(folder, "2")];
  await writeSafetensors(first, tensors);
  await writeSafetensors(second, tensors);
  const bytes = await readFile(first);
  expect(bytes.equals(await readFile(second))).toBe(true);
  const header = Number(bytes.readBigUInt64LE());
  expect(header % 8).toBe(0);
  expect([...bytes.subarray(8 + header, 8 + header + 3)]).toEqual([0, 128, 255]);
});

test("half and brain floats of other writers are widened, also where they are not aligned", async () => {
  const path = join(folder, "half.safetensors");
  const header = JSON.stringify({
    h: { dtype: "F16", shape: [2], data_offsets: [0, 4] },
    b: { dtype: "BF16", shape: [1], data_offsets: [4, 6] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeFile(path, Buffer.concat([length, Buffer.from(header), Buffer.from([0, 0x3e, 0, 0xc0, 0xc0, 0x3f])]));
  const { tensors: read } = await readSafetensors(path);
  expect(read.get("h")).toEqual({ dtype: "float16", shape: [2], data: Float32Array.of(1.5, -2) });
  expect(read.get("b")).toEqual({ dtype: "bfloat16", shape: [1], data: Float32Array.of(1.5) });
});

test("shapes that do not fit and names used twice are refused before anything is written", async () => {
  const path = join(folder, "refused.safetensors");
  const data = new Float32Array(3);
  await expect(writeSafetensors(path, [{ name: "a", shape: [2], data }])).rejects.toThrow(/"a": expected shape \[2\]/);
  const twice = [0, 1].map(() => ({ name: "a", shape: [3], data }));
  await expect(writeSafetensors(path, twice)).rejects.toThrow(/two tensors are named "a"/);
  await expect(readSafetensors(path)).rejects.toThrow(/cannot be opened/);
});

test("files cut short anywhere, foreign files and headers that lie are refused by name", async () => {
  const path = join(folder, "bad.safetensors");
  await writeSafetensors(path, tensors);
  const bytes = await readFile(path);
  for (const length of [0, 7, 8, 100, bytes.length - 1]) {
    await writeFile(path, bytes.subarray(0, length));
    await expect(readSafetensors(path), `${length} bytes`).rejects.toThrow(
      /bad\.safetensors .*(cut short|not a safeten)/,
    );
  }
  const lying = Buffer.from(bytes);
  lying.write('"shape":[9]', lying.indexOf('"shape":[3]'));
  await writeFile(path, lying);
  await expect(readSafetensors(path)).rejects.toThrow(/"b\/uint8" of shape \[9\] has 3 bytes/);
});

test("the golden file written by Python's safetensors is read", async ({ skip }) => {
  const path = sharedPath("golden/small-model.safetensors");
  if (path === undefined) return skip("shared/golden/small-model.safetensors is absent");
  const { tensors: golden } = await readSafetensors(path);
  expect(golden.size).toBeGreaterThan(10);
  for (const { shape, data } of golden.values()) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
});
