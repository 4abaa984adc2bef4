import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { sharedPath } from "@gmc/testkit";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { csvColumn, csvNumbers, readCsv } from "./csv.ts";
import { listFiles } from "./folder.ts";
import { decodeIdx, readIdx } from "./idx.ts";
import { readImage } from "./image.ts";
import { npzKeys, readNpz, readNpzArray } from "./npz.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-readers-"));
});

describe("readIdx", () => {
  const bytes = Buffer.from([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255]);

  test("bytes are read, gzipped or not", async () => {
    await writeFile(join(folder, "a-idx"), bytes);
    await writeFile(join(folder, "a-idx.gz"), gzipSync(bytes));
    const expected = { dtype: "uint8", shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) };
    expect(await readIdx(join(folder, "a-idx"))).toEqual(expected);
    expect(await readIdx(join(folder, "a-idx.gz"))).toEqual(expected);
  });

  test("wider elements are big-endian", () => {
    const head = (code: number) => [0, 0, code, 1, 0, 0, 0, 1];
    expect(decodeIdx(Buffer.from([...head(0x0b), 0xff, 0xfe]), "a").data).toEqual(Int16Array.of(-2));
    expect(decodeIdx(Buffer.from([...head(0x0c), 0, 0, 1, 0]), "a").data).toEqual(Int32Array.of(256));
    expect(decodeIdx(Buffer.from([...head(0x0d), 0x3f, 0xc0, 0, 0]), "a").data).toEqual(Float32Array.of(1.5));
    const wide = Buffer.from([...head(0x0e), 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]);
    expect(decodeIdx(wide, "a").data).toEqual(Float64Array.of(-1));
  });

  test("other files and wrong lengths are refused by name", async () => {
    expect(() => decodeIdx(bytes.subarray(0, -1), "a-idx")).toThrow(
      /a-idx: shape \[2,3\] of uint8 makes 18 bytes, it has 17/,
    );
    expect(() => decodeIdx(Buffer.from("PNG!"), "a-idx")).toThrow(/not an IDX file/);
    await expect(readIdx(join(folder, "none"))).rejects.toThrow(/none cannot be read/);
  });

  test("MNIST's test labels have the published counts", async ({ skip }) => {
    const path = sharedPath("data/digits/mnist/t10k-labels-idx1-ubyte.gz");
    if (path === undefined) return skip("shared/data/digits/mnist is absent");
    const { data } = await readIdx(path);
    const counts = new Array<number>(10).fill(0);
    for (const label of data as Uint8Array) counts[label] = (counts[label] ?? 0) + 1;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });
});

describe("readNpz", () => {
  test("arrays of np.savez and np.savez_compressed are read by name", async () => {
    const expected = { dtype: "float32", shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
    expect(await npzKeys(fixture("arrays.npz"))).toEqual(["a", "b"]);
    expect((await readNpz(fixture("arrays.npz"))).get("b")?.data).toEqual(BigInt64Array.of(1n, 2n));
    expect(await readNpzArray(fixture("arrays.npz"), "a")).toEqual(expected);
    expect(await readNpzArray(fixture("arrays-compressed.npz"), "a")).toEqual(expected);
  });

  test("an unknown name is refused with those there are, another file as no archive", async () => {
    await expect(readNpzArray(fixture("arrays.npz"), "x")).rejects.toThrow(/no array "x"; it has a, b/);
    await expect(readNpz(fixture("chirp.wav"))).rejects.toThrow(/not a zip archive/);
  });
});

describe("readCsv", () => {
  const write = async (name: string, text: string | Buffer): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };

  test("columns are read by name, quoted text and empty lines as csv has them, gzipped too", async () => {
    const text = 'a,b,"the class"\n1,2.5,"cat, big"\n\n-3e1, 4 ,dog\n';
    const table = await readCsv(await write("a.csv", text));
    expect(csvColumn(table, "the class")).toEqual(["cat, big", "dog"]);
    expect(csvNumbers(table, ["b", "a"])).toEqual(Float32Array.of(2.5, 1, 4, -30));
    expect(table.lines).toEqual([2, 4]);
    expect(await readCsv(await write("a.csv.gz", gzipSync(text)))).toMatchObject({ rows: table.rows });
    expect((await readCsv(await write("a.tsv", "x\ty\n1\t2\n"))).columns).toEqual(["x", "y"]);
  });

  test("empty cells and text where numbers are expected are named by line and column", async () => {
    const table = await readCsv(await write("b.csv", "a,b\n1,2\n3,\n4,x\n"));
    expect(() => csvNumbers(table)).toThrow(/b\.csv:3: column "b" is empty/);
    expect(() => csvNumbers({ ...table, rows: table.rows.slice(2), lines: table.lines.slice(2) })).toThrow(
      /b\.csv:4: column "b" holds "x"/,
    );
    expect(() => csvNumbers(table, ["c"])).toThrow(/no column "c"; it has a, b/);
  });

  test("ragged rows, doubled columns, empty and missing files are refused", async () => {
    await expect(readCsv(await write("c.csv", "a,b\n1,2\n3\n"))).rejects.toThrow(/c\.csv: .*line 3/);
    await expect(readCsv(await write("d.csv", "a,a\n1,2\n"))).rejects.toThrow(/two columns are named "a"/);
    await expect(readCsv(await write("e.csv", ""))).rejects.toThrow(/is empty/);
    await expect(readCsv(join(folder, "none.csv"))).rejects.toMatchObject({ code: "ERR_DATA" });
  });
});

describe("files in folders", () => {
  test("are listed by stem with their subfolder, others left out", async () => {
    for (const name of ["cat/10.png", "cat/2.PNG", "dog/1.png", "dog/readme.txt", "top.png", ".hidden.png"]) {
      await mkdir(join(folder, "images", name, ".."), { recursive: true });
      await writeFile(join(folder, "images", name), "");
    }
    const files = await listFiles(join(folder, "images"), [".png"]);
    expect(files.map(({ stem, group }) => [stem, group])).toEqual([
      ["cat/10", "cat"],
      ["cat/2", "cat"],
      ["dog/1", "dog"],
      ["top", ""],
    ]);
    await expect(listFiles(join(folder, "images"), [".wav"])).rejects.toThrow(/holds no \.wav file/);
    await expect(listFiles(join(folder, "none"), [".wav"])).rejects.toThrow(/cannot be read/);
  });

  test("an image is read exactly at its own size, scaled and cut to another, in grey or colour", async () => {
    const pixels = Buffer.from(Array.from({ length: 4 * 2 * 3 }, (_, i) => i * 10));
    const path = join(folder, "p.png");
    await sharp(pixels, { raw: { width: 4, height: 2, channels: 3 } })
      .png()
      .toFile(path);
    expect(await readImage(path, { height: 2, width: 4, channels: 3 })).toEqual(new Uint8Array(pixels));
    expect(await readImage(path, { height: 3, width: 3, channels: 1 })).toHaveLength(9);
    const grey = join(folder, "g.png");
    await sharp(Buffer.from([0, 50, 100, 255]), { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toFile(grey);
    expect([...(await readImage(grey, { height: 2, width: 2, channels: 1 }))]).toEqual([0, 50, 100, 255]);
    expect(await readImage(grey, { height: 2, width: 2, channels: 3 })).toHaveLength(12);
  });

  test("a file that is no image is refused by name", async () => {
    const path = join(folder, "broken.png");
    await writeFile(path, "text");
    await expect(readImage(path, { height: 2, width: 2, channels: 1 })).rejects.toThrow(
      /broken\.png cannot be read as an image/,
    );
  });
});
