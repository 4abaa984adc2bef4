import { createHash } from "node:crypto";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError } from "@gmc/core";
import { stageFile, writeAll } from "../atomic.ts";
import { cacheFolder } from "../cache-folder.ts";
import { knownSha256, rememberSha256 } from "../known-sums.ts";
import { ChangedError, type FileStore, plainParts, type StoredFile } from "./file-store.ts";

export interface FolderStoreOptions {
  /** Where sums are remembered. Default: the process's cache folder. */
  readonly cache?: string | undefined;
  /** Called with each change when all is ready for it: carries it out, or throws and prevents it. */
  readonly around?: (change: () => Promise<void>) => Promise<void>;
}

const BLOCK_BYTES = 1 << 20;

/** The files of a run in a folder, which the first `put` makes. */
export const openFolderStore = (folder: string, options: FolderStoreOptions = {}): FileStore =>
  new FolderStore(folder, options);

class FolderStore implements FileStore {
  readonly #folder: string;
  readonly #cache: string;
  readonly #around: (change: () => Promise<void>) => Promise<void>;

  constructor(folder: string, { cache = cacheFolder(), around = (change) => change() }: FolderStoreOptions) {
    this.#folder = folder;
    this.#cache = cache;
    this.#around = around;
  }

  async list(signal?: AbortSignal): Promise<ReadonlyMap<string, StoredFile>> {
    const files = new Map<string, StoredFile>();
    for (const path of await pathsIn(this.#folder)) {
      const file = await this.#describe(path, signal);
      if (file) files.set(path, file);
    }
    return files;
  }

  async *read({ path, bytes, sha256 }: StoredFile): AsyncGenerator<Uint8Array> {
    const handle = await open(join(this.#folder, path), "r").catch((cause: unknown) => {
      throw isAbsent(cause) ? new ChangedError(`${path} was removed`, { cause }) : cause;
    });
    const hash = createHash("sha256");
    try {
      for (let at = 0; at < bytes; ) {
        const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, bytes - at));
        const { bytesRead } = await handle.read(block, 0, block.byteLength, at);
        if (bytesRead === 0) throw new ChangedError(`${path} was cut short`);
        at += bytesRead;
        hash.update(block.subarray(0, bytesRead));
        // What is last is held back until the sum is known to be right: nobody takes other bytes for the whole.
        if (at === bytes && hash.digest("hex") !== sha256) throw new ChangedError(`${path} was replaced`);
        yield block.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  async put({ path, bytes, sha256 }: StoredFile, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = join(this.#folder, path);
    await mkdir(dirname(target), { recursive: true });
    const staged = await stageFile(target);
    try {
      const hash = createHash("sha256");
      let received = 0;
      for await (const chunk of content) {
        received += chunk.byteLength;
        if (received > bytes) break;
        hash.update(chunk);
        await writeAll(staged.handle, chunk);
      }
      const sum = hash.digest("hex");
      if (received !== bytes || sum !== sha256)
        throw otherBytes(path, { bytes, sha256 }, { bytes: received, sha256: sum });
      await this.#around(() => staged.commit());
    } catch (error) {
      await staged.discard();
      throw error;
    }
    await rememberSha256(target, sha256, this.#cache).catch(() => {});
  }

  async remove(path: string): Promise<void> {
    await this.#around(() => rm(join(this.#folder, path), { force: true }));
  }

  /** Undefined where it went away meanwhile. */
  async #describe(path: string, signal: AbortSignal | undefined): Promise<StoredFile | undefined> {
    try {
      const { bytes, sha256 } = await knownSha256(join(this.#folder, path), { cache: this.#cache, signal });
      return { path, bytes, sha256 };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }
}

/** Paths of all plain files, sorted; links and hidden files are left out. */
async function pathsIn(folder: string, prefix = ""): Promise<string[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  const paths: string[] = [];
  for (const entry of entries) {
    const path = `${prefix}${entry.name}`;
    if (!plainParts(path)) continue;
    if (entry.isDirectory()) paths.push(...(await pathsIn(folder, `${path}/`)));
    else if (entry.isFile()) paths.push(path);
  }
  return paths.sort();
}

const otherBytes = (path: string, expected: Omit<StoredFile, "path">, received: Omit<StoredFile, "path">): DataError =>
  new DataError(
    `${path}: expected ${expected.bytes} bytes of the sha256 ${expected.sha256}, received ${received.bytes} bytes of ${received.sha256}. Nothing was changed.`,
    { path, expected, received },
  );

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
