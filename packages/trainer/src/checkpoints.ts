import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Model, TrainState } from "@gmc/core";
import { CheckpointError, sha256OfJson } from "@gmc/core";
import { exists, removeTemporaries, sha256OfFile, writeFileAtomic } from "@gmc/storage";
import { z } from "zod";
import { readCheckpointFile, writeCheckpointFile } from "./checkpoint-file.ts";
import type { RunIdentity } from "./run-identity.ts";
import { checkSameRun } from "./run-identity.ts";

/** `last`: the newest state. `best`: the state of the lowest monitored loss. */
export type CheckpointKind = "last" | "best";

/** What `last.json` and `best.json` hold. */
const Pointer = z
  .strictObject({
    format: z.literal("gmc-checkpoint"),
    version: z.literal(1),
    file: z
      .string()
      .regex(/^[^/\\]+$/)
      .describe("The tensor file beside the pointer."),
    step: z.int().min(0),
    sha256: z.string().describe("Of the tensor file."),
    progress: z
      .strictObject({
        epochLossSum: z.number(),
        epochLosses: z.array(z.number()).readonly(),
        best: z.strictObject({ loss: z.number(), epoch: z.int() }).readonly().nullable(),
      })
      .readonly(),
    config: z.json(),
    configSha256: z.string().describe("Of the config's canonical JSON."),
    dataSha256: z.string(),
  })
  .readonly();
type Pointer = z.infer<typeof Pointer>;

const KINDS: readonly CheckpointKind[] = ["last", "best"];
const TENSOR_FILE = /^step-\d+(-\d+)?\.safetensors$/;

/** A run's checkpoints in one folder. One process writes at a time. */
export interface Checkpoints {
  /**
   * Path of the saved state's tensor file; undefined when there is none.
   *
   * @throws {CheckpointError} when the folder holds another run's checkpoints
   */
  find(kind: CheckpointKind): Promise<string | undefined>;
  /** Step of the saved state; undefined when there is none. @throws as `find` */
  stepOf(kind: CheckpointKind): Promise<number | undefined>;
  /**
   * Saves the state and gives its tensor file. The file is in place before the pointer names it, and goes only when no
   * pointer names it any more: a kill at any moment leaves every pointer with its whole file.
   *
   * @throws {CheckpointError} when the folder holds another run's checkpoints
   */
  save(state: TrainState, kind: CheckpointKind): Promise<string>;
  /**
   * The saved state; undefined when there is none.
   *
   * @throws {CheckpointError} when it is damaged, or another run's: the message names what differs
   */
  load(kind: CheckpointKind): Promise<TrainState | undefined>;
}

/** The checkpoints in a folder, which the first save makes. */
export function openCheckpoints(folder: string, model: Model, identity: RunIdentity): Checkpoints {
  return new CheckpointFolder(folder, model, identity);
}

/**
 * A saved state whatever run it is of, for using the trained model; undefined when there is none.
 *
 * @throws {CheckpointError} when it is damaged or another model's
 */
export async function readCheckpoint(
  folder: string,
  kind: CheckpointKind,
  model: Model,
): Promise<TrainState | undefined> {
  const pointer = await readPointer(folder, kind);
  return pointer && readState(folder, pointer, model);
}

class CheckpointFolder implements Checkpoints {
  readonly #folder: string;
  readonly #model: Model;
  readonly #config: Pick<Pointer, "config" | "configSha256" | "dataSha256">;
  /** Files that this process wrote, by step. */
  readonly #written = new Map<number, { readonly file: string; readonly sha256: string }>();
  #prepared = false;
  #pointers: Map<CheckpointKind, Pointer> | undefined;

  constructor(folder: string, model: Model, identity: RunIdentity) {
    this.#folder = folder;
    this.#model = model;
    const config: unknown = JSON.parse(JSON.stringify(identity.config)); // as it will be read back
    this.#config = {
      config: z.json().parse(config),
      configSha256: sha256OfJson(config),
      dataSha256: identity.dataSha256,
    };
  }

  async find(kind: CheckpointKind): Promise<string | undefined> {
    const pointer = (await this.#ofThisRun()).get(kind);
    return pointer && join(this.#folder, pointer.file);
  }

  async stepOf(kind: CheckpointKind): Promise<number | undefined> {
    return (await this.#ofThisRun()).get(kind)?.step;
  }

  async load(kind: CheckpointKind): Promise<TrainState | undefined> {
    const pointer = (await this.#ofThisRun()).get(kind);
    return pointer && readState(this.#folder, pointer, this.#model);
  }

  async save(state: TrainState, kind: CheckpointKind): Promise<string> {
    const pointers = await this.#ofThisRun();
    if (!this.#prepared) await this.#prepare();
    const { file, sha256 } = await this.#writeTensors(state, pointers);
    const pointer: Pointer = {
      format: "gmc-checkpoint",
      version: 1,
      file,
      step: state.step,
      sha256,
      progress: state.progress,
      ...this.#config,
    };
    await writeFileAtomic(pointerPath(this.#folder, kind), `${JSON.stringify(pointer, null, 2)}\n`);
    pointers.set(kind, pointer);
    await this.#removeUnnamed(pointers);
    return join(this.#folder, file);
  }

  /** Makes the folder, and removes what a killed process was writing. */
  async #prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await removeTemporaries(this.#folder);
    this.#prepared = true;
  }

  /** Never writes over a file that a pointer names: that one may be of another process's run of the same step. */
  async #writeTensors({ progress: _, ...tensors }: TrainState, pointers: ReadonlyMap<CheckpointKind, Pointer>) {
    const known = this.#written.get(tensors.step);
    if (known && (await exists(join(this.#folder, known.file)))) return known;
    const named = new Set(Array.from(pointers.values(), (pointer) => pointer.file));
    const stem = `step-${String(tensors.step).padStart(8, "0")}`;
    let file = `${stem}.safetensors`;
    for (let attempt = 2; named.has(file); attempt++) file = `${stem}-${attempt}.safetensors`;
    const path = join(this.#folder, file);
    await writeCheckpointFile(path, this.#model, tensors);
    const written = { file, sha256: await sha256OfFile(path) };
    this.#written.clear();
    this.#written.set(tensors.step, written);
    return written;
  }

  async #removeUnnamed(pointers: ReadonlyMap<CheckpointKind, Pointer>): Promise<void> {
    const named = new Set(Array.from(pointers.values(), (pointer) => pointer.file));
    for (const name of await readdir(this.#folder)) {
      if (TENSOR_FILE.test(name) && !named.has(name)) await rm(join(this.#folder, name), { force: true });
    }
  }

  /** What the folder's pointers hold: read once, then kept up by `save`. */
  async #ofThisRun(): Promise<Map<CheckpointKind, Pointer>> {
    if (this.#pointers) return this.#pointers;
    const pointers = new Map<CheckpointKind, Pointer>();
    for (const kind of KINDS) {
      const pointer = await readPointer(this.#folder, kind);
      if (!pointer) continue;
      checkSameRun(pointer, this.#config);
      pointers.set(kind, pointer);
    }
    this.#pointers = pointers;
    return pointers;
  }
}

const pointerPath = (folder: string, kind: CheckpointKind): string => join(folder, `${kind}.json`);

async function readPointer(folder: string, kind: CheckpointKind): Promise<Pointer | undefined> {
  const path = pointerPath(folder, kind);
  if (!(await exists(path))) return undefined;
  const text = await readFile(path, "utf8");
  try {
    return Pointer.parse(JSON.parse(text));
  } catch (cause) {
    throw new CheckpointError(`${path} does not name a checkpoint; it was edited or damaged.`, { path }, { cause });
  }
}

async function readState(folder: string, pointer: Pointer, model: Model): Promise<TrainState> {
  const path = join(folder, pointer.file);
  if (!(await exists(path))) {
    throw new CheckpointError(`${path} is missing, but a checkpoint names it.`, { path });
  }
  const sha256 = await sha256OfFile(path);
  if (sha256 !== pointer.sha256) {
    throw new CheckpointError(
      `${path} is damaged: its sha256 should be ${pointer.sha256}, it is ${sha256}. Load the other of "last" and "best", or restore the file.`,
      { path, expected: pointer.sha256, received: sha256 },
    );
  }
  const tensors = await readCheckpointFile(path, model);
  if (tensors.step !== pointer.step) {
    throw new CheckpointError(`${path} is of step ${tensors.step}, its pointer says ${pointer.step}.`, { path });
  }
  return { ...tensors, progress: pointer.progress };
}
