import { type FileHandle, open } from "node:fs/promises";
import { DataError, type Inputs, type Range } from "@gmc/core";
import type { ReadAt, RowFile } from "./row-file.ts";
import { RowReader } from "./row-file.ts";
import { inputValues, modalitySource, requireLabels, type SplitLayout, type StoredInput } from "./split-layout.ts";

/** One split of an open data set. Reads are asynchronous and may overlap; they are answered one after another. */
export class Split {
  readonly layout: SplitLayout;
  readonly #readers = new Map<string, { readonly reader: RowReader; readonly handle: FileHandle }>();
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(layout: SplitLayout) {
    this.layout = layout;
  }

  get name(): string {
    return this.layout.name;
  }

  get samples(): number {
    return this.layout.samples;
  }

  get hasLabels(): boolean {
    return this.layout.labels !== undefined;
  }

  /**
   * Values of some samples by modality, float32, sample after sample in the order asked for; labels as one-hot.
   *
   * @param rows   sample numbers, or a range of them
   * @param names  modalities; absent: all
   * @throws {DataError} for a modality that the set does not have
   * @throws {RangeError} for a sample that the split does not have
   */
  read(rows: Uint32Array | Range, names?: readonly string[]): Promise<Inputs> {
    const wanted = names ?? this.layout.modalities.map((modality) => modality.name);
    const inputs = wanted.map((name) => modalitySource(this.layout, name));
    return this.readStored(inputs, indicesOf(rows));
  }

  /** Values by input name, [rows, …] each: what `storedInputs` found for a model. */
  readStored(inputs: readonly StoredInput[], rows: Uint32Array): Promise<Inputs> {
    return this.#next(async () => {
      const values: Record<string, Float32Array> = {};
      for (const input of inputs) values[input.name] = inputValues(input, await this.#rows(input.file, rows));
      return values;
    });
  }

  /** Class indices of some samples; absent: of all. @throws {DataError} when the set has no labels */
  readLabels(rows: Uint32Array | Range = { start: 0, end: this.samples }): Promise<Int32Array> {
    const indices = indicesOf(rows);
    const file = requireLabels(this.layout);
    return this.#next(async () => Int32Array.from(await this.#rows(file, indices)));
  }

  /** Closes the files, after the reads under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn.catch(() => {});
    for (const { handle } of this.#readers.values()) await handle.close();
    this.#readers.clear();
  }

  async #rows(file: RowFile, indices: Uint32Array): Promise<Float32Array<ArrayBuffer>> {
    const values = new Float32Array(indices.length * file.width);
    await (await this.#reader(file)).read(indices, values);
    return values;
  }

  async #reader(file: RowFile): Promise<RowReader> {
    const known = this.#readers.get(file.path);
    if (known) return known.reader;
    const handle = await open(file.path, "r");
    const reader = new RowReader(file, readAtHandle(handle, file.path));
    this.#readers.set(file.path, { reader, handle });
    return reader;
  }

  /** Readers keep one buffer a file, so reads wait for each other. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new DataError(`${this.layout.dataset} was closed; open it again.`));
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

const indicesOf = (rows: Uint32Array | Range): Uint32Array =>
  rows instanceof Uint32Array ? rows : Uint32Array.from({ length: rows.end - rows.start }, (_, i) => rows.start + i);

function readAtHandle(handle: FileHandle, path: string): ReadAt {
  return async (target, position) => {
    let done = 0;
    while (done < target.byteLength) {
      const { bytesRead } = await handle.read(target, done, target.byteLength - done, position + done);
      if (bytesRead === 0) throw new DataError(`${path} ended while it was read; was it replaced?`, { path });
      done += bytesRead;
    }
  };
}
