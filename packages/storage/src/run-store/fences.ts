import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StaleGenerationError } from "@gmc/core";
import { z } from "zod";
import { writeFileAtomic } from "../atomic.ts";

/** Who speaks about a run: one training of it, and which of its generations. */
export interface Fence {
  /** Unique for each training: the same run resumed by another job has another owner. */
  readonly owner: string;
  /** Of the generation; higher ones come later. */
  readonly number: number;
}

const Saved = z.strictObject({ owner: z.string(), number: z.int().nonnegative() });
const FILE = ".gmc-fence.json"; // hidden: no file of the run

/** Who has spoken last about each run; it outlives the server. */
export class Fences {
  readonly #known = new Map<string, Fence>();
  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * Notes that this one speaks, after the changes under way.
   *
   * @param claims  takes the run over from another owner
   * @throws {StaleGenerationError} when a later generation has spoken, or another owner
   */
  raise(folder: string, fence: Fence, claims: boolean): Promise<void> {
    return this.#next(folder, async () => {
      const known = this.#known.get(folder) ?? (await saved(folder));
      if (known) this.#known.set(folder, known);
      if (known && !(claims && known.owner !== fence.owner)) this.#check(folder, fence);
      if (known?.owner === fence.owner && known.number === fence.number) return;
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(join(folder, FILE), `${JSON.stringify(fence)}\n`);
      this.#known.set(folder, fence);
    });
  }

  /**
   * Carries out one change of a run's files; no generation can begin to speak while it does.
   *
   * @throws {StaleGenerationError} when another one has spoken since: nothing was changed
   */
  change(folder: string, fence: Fence | undefined, work: () => Promise<void>): Promise<void> {
    return this.#next(folder, async () => {
      if (fence !== undefined) this.#check(folder, fence);
      await work();
    });
  }

  #check(folder: string, fence: Fence): void {
    const known = this.#known.get(folder);
    if (!known || (known.owner === fence.owner && known.number <= fence.number)) return;
    throw new StaleGenerationError(fenceText(fence), fenceText(known));
  }

  #next(folder: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(folder) ?? Promise.resolve()).then(work);
    this.#turns.set(
      folder,
      turn.catch(() => {}),
    );
    return turn;
  }
}

/** For people, and in the header of a request. */
export const fenceText = ({ owner, number }: Fence): string => `${number} of ${encodeURIComponent(owner)}`;

/** What `fenceText` gave; undefined for anything else. */
export function parseFence(text: string): Fence | undefined {
  const [, number = "", owner = ""] = /^(\d{1,15}) of ([\w.!~*'()%-]+)$/.exec(text) ?? [];
  try {
    return number === "" ? undefined : { owner: decodeURIComponent(owner), number: Number(number) };
  } catch {
    return undefined;
  }
}

const saved = (folder: string): Promise<Fence | undefined> =>
  readFile(join(folder, FILE), "utf8")
    .then((text) => Saved.parse(JSON.parse(text)))
    .catch(() => undefined);
