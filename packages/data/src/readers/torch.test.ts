import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NpyArray } from "@gmc/storage";
import { describe, expect, test } from "vitest";
import { openTorch, readTorch } from "./torch.ts";
import { TorchTensor } from "./torch-tensor.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const counted = Array.from({ length: 24 }, (_, i) => i - 6);
const bothFormats = (name: string): [string, string][] => [
  ["zip", fixture(`${name}.pt`)],
  ["legacy", fixture(`${name}-legacy.pt`)],
];

describe("files written by torch.save", () => {
  test.each(bothFormats("dtypes"))("every element type is read (%s format)", async (_, path) => {
    const tensors = (await readTorch(path)) as ReadonlyMap<string, NpyArray>;
    expect([...tensors.keys()]).toHaveLength(10);
    for (const [name, { dtype, shape, data }] of tensors) {
      expect({ name, shape }).toEqual({ name: dtype, shape: [4, 6] });
      const expected = { uint8: counted.map((v) => v + 6), bool: counted.map((v) => Number(v % 2 === 0)) }[name];
      expect([...data].map(Number), name).toEqual(expected ?? counted);
    }
    expect(tensors.get("bfloat16")?.data).toBeInstanceOf(Float32Array);
    expect(tensors.get("int64")?.data).toBeInstanceOf(BigInt64Array);
  });

  test.each(bothFormats("views"))("strides and offsets of views are honoured (%s format)", async (_, path) => {
    const expected = JSON.parse(await readFile(fixture("views.json"), "utf8"));
    const views = (await readTorch(path)) as ReadonlyMap<string, NpyArray>;
    for (const [name, { shape, data }] of views) expect({ shape, data: [...data] }, name).toEqual(expected[name]);
    expect(views.size).toBe(Object.keys(expected).length);
  });

  test.each(bothFormats("views"))("rows of a view are those of the whole (%s format)", async (_, path) => {
    const file = await openTorch(path);
    const view = (file.value as ReadonlyMap<string, TorchTensor>).get("transposed");
    if (!(view instanceof TorchTensor)) throw new Error("not a tensor");
    const whole = [...(await view.read()).data];
    expect([...(await view.readRows(1, 3))]).toEqual(whole.slice(6, 18));
    expect(await view.readRows(2, 2)).toHaveLength(0);
    await expect(view.readRows(3, 5)).rejects.toThrow(RangeError);
    await file.close();
  });

  test.each([...bothFormats("nested"), ["protocol 4", fixture("nested-protocol4.pt")]])(
    "dicts, lists, tuples, numbers, text, parameters and numpy values come as plain values (%s)",
    async (_, path) => {
      const nested = (await readTorch(path)) as ReadonlyMap<string, unknown>;
      expect([...nested.keys()]).toEqual(["a", "b", "c", "d", "e"]);
      expect(nested.get("a")).toEqual([1, -2, 3000000000, 2n ** 70n, true, null, 0.5, "grün", Uint8Array.of(0, 255)]);
      const [parameter, map] = nested.get("b") as [NpyArray, ReadonlyMap<string, NpyArray[]>];
      expect(parameter).toMatchObject({ dtype: "float32", shape: [2], data: Float32Array.of(1, 1) });
      expect(map.get("list")?.[0]?.data).toEqual(Float32Array.of(0));
      expect(nested.get("c")).toMatchObject({ dtype: "int32", shape: [2, 3], data: Int32Array.of(0, 1, 2, 3, 4, 5) });
      expect(nested.get("d")).toBe(1.25);
      expect(nested.get("e")).toEqual([2, 3]);
    },
  );

  test.each(bothFormats("state_dict"))(
    "a state dict with its hidden attributes is read (%s format)",
    async (_, path) => {
      const state = (await readTorch(path)) as ReadonlyMap<string, NpyArray>;
      expect([...state].map(([name, { shape }]) => [name, shape])).toEqual([
        ["weight", [1, 2]],
        ["bias", [1]],
      ]);
    },
  );

  test.each(bothFormats("mhd_train"))("the MHD tuple has its six entries (%s format)", async (_, path) => {
    const file = await openTorch(path);
    const [label, image, trajectory, sound, , range] = file.value as TorchTensor[];
    expect([label, image, trajectory, sound].map((tensor) => tensor?.shape)).toEqual([
      [4],
      [4, 1, 28, 28],
      [4, 200],
      [4, 4, 32, 32],
    ]);
    expect(range).toEqual(
      new Map([
        ["min", -80],
        ["max", 0.25],
      ]),
    );
    await file.close();
  });
});

describe("what is refused", () => {
  test("a whole module and a call of os.system are refused by name, and nothing is run", async () => {
    await expect(readTorch(fixture("module.pt"))).rejects.toThrow(/refers to torch\.nn\.modules\.linear\.Linear/);
    await rm("/tmp/gmc-was-here", { force: true });
    await expect(readTorch(fixture("evil.pt"))).rejects.toMatchObject({
      code: "ERR_DATA",
      details: { global: expect.stringMatching(/^(posix|os|nt)\.system$/) },
    });
    expect(existsSync("/tmp/gmc-was-here")).toBe(false);
  });

  test("other pickles, other files and missing files are refused by what they are", async () => {
    await expect(readTorch(fixture("plain-pickle.pt"))).rejects.toThrow(/not one that torch\.save wrote/);
    await expect(readTorch(fixture("chirp.wav"))).rejects.toThrow(/chirp\.wav is not a PyTorch file/);
    await expect(readTorch(fixture("arrays.npz"))).rejects.toThrow(/zip archive without data\.pkl/);
    await expect(readTorch(fixture("none.pt"))).rejects.toThrow(/cannot be opened/);
  });

  test.each(["mhd_test", "mhd_test-legacy", "dtypes-legacy"])("%s cut short anywhere is refused", async (name) => {
    const bytes = await readFile(fixture(`${name}.pt`));
    const path = join(await mkdtemp(join(tmpdir(), "gmc-torch-")), "cut.pt");
    for (const share of [0.001, 0.05, 0.5, 0.99]) {
      await writeFile(path, bytes.subarray(0, Math.floor(bytes.length * share)));
      await expect(readTorch(path), `${share}`).rejects.toMatchObject({ code: "ERR_DATA" });
    }
  });

  test("a tensor that reaches beyond its storage is refused", async () => {
    const bytes = await readFile(fixture("views-legacy.pt"));
    const shape = Buffer.from([0x4b, 4, 0x4b, 2, 0x4b, 3, 0x87]); // the tuple (4, 2, 3) as bytes, in the pickle
    const at = bytes.indexOf(shape);
    expect(at).toBeGreaterThan(0);
    bytes[at + 1] = 40;
    const path = join(await mkdtemp(join(tmpdir(), "gmc-torch-")), "lying.pt");
    await writeFile(path, bytes);
    await expect(readTorch(path)).rejects.toThrow(/reaches to element \d+ of a storage of 24/);
  });
});
