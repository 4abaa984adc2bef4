import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { removeTemporaries, stageFile, writeFileAtomic, writeFolderAtomic } from "./atomic.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-atomic-"));
});

/** Runs `body` in a process of its own, with atomic.ts as `atomic` and `target`; gives the signal that ended it. */
function runChild(target: string, body: string): Promise<string | null> {
  const code = `import * as atomic from ${JSON.stringify(new URL("./atomic.ts", import.meta.url).href)};
    const target = ${JSON.stringify(target)}; const die = () => process.kill(process.pid, "SIGKILL"); ${body}`;
  const args = ["--import", "tsx", "--conditions=@gmc/source", "--input-type=module", "--eval", code];
  const cwd = fileURLToPath(new URL("../../../", import.meta.url));
  return new Promise((settle, fail) => {
    execFile(process.execPath, args, { cwd }, (error, _, stderr) => {
      if (error && !error.signal) fail(new Error(stderr));
      settle(error?.signal ?? null);
    });
  });
}

describe("writeFileAtomic", () => {
  test("text, bytes and streams replace what was there and leave nothing else", async () => {
    const path = join(folder, "file");
    await writeFile(path, "old content, longer than the new");
    await writeFileAtomic(path, "grün");
    expect(readFileSync(path, "utf8")).toBe("grün");
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    await writeFileAtomic(
      path,
      (async function* () {
        yield new Uint8Array(100_000).fill(7);
        yield Uint8Array.of(8);
      })(),
    );
    expect(readFileSync(path).at(-1)).toBe(8);
    expect(readFileSync(path)).toHaveLength(100_001);
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  test("a source that fails leaves the old content and no temporary file", async () => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    const failing = (async function* () {
      yield Uint8Array.of(1);
      throw new Error("source broke");
    })();
    await expect(writeFileAtomic(path, failing)).rejects.toThrow("source broke");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  test("a process killed between write and rename leaves the old file; its temporary can be swept", async () => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    const body = `const staged = await atomic.stageFile(target); await staged.handle.writeFile("new"); await staged.handle.sync(); die(); await new Promise(() => {});`;
    expect(await runChild(path, body)).toBe("SIGKILL");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toHaveLength(2);
    await removeTemporaries(folder);
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  test("a process killed in the middle of writing leaves the old file, one that ends the new", async () => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    const stream = (end: string) =>
      `await atomic.writeFileAtomic(target, (async function* () { yield Buffer.from("new"); ${end} })());`;
    expect(await runChild(path, stream("die(); await new Promise(() => {});"))).toBe("SIGKILL");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(await runChild(path, stream(""))).toBe(null);
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  test("a staged file that is discarded leaves the target alone", async () => {
    const path = join(folder, "file");
    const staged = await stageFile(path);
    await staged.handle.writeFile("new");
    await staged.discard();
    await staged.discard();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("writeFolderAtomic", () => {
  test("the folder appears as a whole, with what fill gave as result", async () => {
    const path = join(folder, "a", "set");
    const result = await writeFolderAtomic(path, async (temporary) => {
      await mkdir(join(temporary, "train"));
      await writeFile(join(temporary, "train", "x"), "1");
      expect(existsSync(path)).toBe(false);
      return 5;
    });
    expect(result).toBe(5);
    expect(await readFile(join(path, "train", "x"), "utf8")).toBe("1");
    expect(readdirSync(join(folder, "a"))).toEqual(["set"]);
  });

  test("a fill that throws leaves nothing, an existing target is refused before fill runs", async () => {
    const path = join(folder, "set");
    await expect(
      writeFolderAtomic(path, async (temporary) => {
        await writeFile(join(temporary, "x"), "1");
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(readdirSync(folder)).toEqual([]);
    await mkdir(path);
    let ran = false;
    await expect(
      writeFolderAtomic(path, async () => {
        ran = true;
      }),
    ).rejects.toThrow(/set already exists; remove it/);
    expect(ran).toBe(false);
  });

  test("a process killed while it fills leaves no folder at the target", async () => {
    const path = join(folder, "set");
    const body = `await atomic.writeFolderAtomic(target, async () => { die(); await new Promise(() => {}); });`;
    expect(await runChild(path, body)).toBe("SIGKILL");
    expect(existsSync(path)).toBe(false);
  });
});
