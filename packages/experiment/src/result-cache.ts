import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256OfJson } from "@gmc/core";
import type { RunFolder } from "@gmc/storage";
import { exists } from "@gmc/storage";

/** How results are computed and kept: a change makes a new number, and what was kept before is not found any more. */
const FORMAT = 1;

/**
 * Results of a run, kept in `reports/cache/` in one file each, named by everything they depend on: what is found is never
 * out of date, results for several settings lie side by side, and a kill leaves whole files only.
 */
export class ResultCache {
  readonly #folder: string;
  readonly #identity: unknown;
  readonly #fresh: boolean;

  /**
   * @param identity  what every result depends on: weights, data
   * @param fresh     true: what is kept is made again
   */
  constructor(run: RunFolder, identity: unknown, fresh = false) {
    this.#fresh = fresh;
    this.#folder = join(run.reports, "cache");
    this.#identity = identity;
  }

  /**
   * The result as kept, else as made, which is then kept. A kept file that cannot be read is made again.
   *
   * @param place      file name without its mark, and extension: ["evaluation", ".json"]
   * @param dependsOn  plain data beside the identity
   */
  async get<T>(
    [name, extension]: readonly [name: string, extension: string],
    dependsOn: unknown,
    file: { read(path: string): Promise<T>; write(path: string, result: T): Promise<void> },
    make: () => Promise<T>,
  ): Promise<T> {
    const path = join(this.#folder, `${name}-${this.keyOf(dependsOn).slice(0, 16)}${extension}`);
    if (!this.#fresh && (await exists(path))) {
      const kept = await file.read(path).catch(() => undefined);
      if (kept !== undefined) return kept;
    }
    const result = await make();
    await mkdir(dirname(path), { recursive: true });
    await file.write(path, result);
    return result;
  }

  /** sha256 of what a result depends on. */
  keyOf(dependsOn: unknown): string {
    return sha256OfJson({ format: FORMAT, identity: this.#identity, dependsOn });
  }
}
