import type { Model } from "@gmc/core";
import { weightsSha256 } from "@gmc/core";
import { datasetExists, readManifest } from "@gmc/data";
import { engineBits } from "@gmc/engine";
import type { EncodedSplit } from "@gmc/evaluation";
import { alignmentSamples, encodeSplit } from "@gmc/evaluation";
import type { Closable } from "./closing.ts";
import type { LoadedRun } from "./load-run.ts";
import { ResultCache } from "./result-cache.ts";
import type { LongCall } from "./run-progress.ts";
import type { Trained, TrainedOptions, TrainedState } from "./trained.ts";
import { dataPath, openReplicaOf, readTrained } from "./trained.ts";

export interface MeasureOptions extends TrainedOptions, LongCall {
  /** True: results are computed anew even where they are kept. */
  readonly fresh?: boolean;
}

/**
 * A trained run that is measured: what was measured before is found in its cache, and data and engine are opened only
 * when something is missing.
 */
export class MeasuredRun implements Closable {
  readonly run: LoadedRun;
  readonly model: Model;
  readonly weightsSha256: string;
  readonly cache: ResultCache;
  readonly call: LongCall;
  readonly #options: TrainedOptions;
  readonly #state: TrainedState;
  readonly #codes = new Map<string, Promise<EncodedSplit>>();
  #trained: Promise<Trained> | undefined;

  private constructor(state: TrainedState, options: MeasureOptions, dataSha256: string) {
    this.run = state.run;
    this.model = state.model;
    this.call = options;
    this.#options = options;
    this.#state = state;
    this.weightsSha256 = weightsSha256(state.model, state.state);
    const { engine, evaluation, data } = state.run.config;
    const device = engineBits(engine); // bits are promised for one device
    const identity = { weights: this.weightsSha256, data: dataSha256, device, rows: evaluation.rows };
    this.cache = new ResultCache(state.run.folder, { ...identity, testSplit: data.testSplit }, options.fresh);
  }

  /**
   * @throws {UsageError} when the folder is no run
   * @throws {CheckpointError} when it has no checkpoint
   */
  static async open(options: MeasureOptions): Promise<MeasuredRun> {
    const state = await readTrained(options);
    const path = await dataPath(state.run, options.overrides ?? []);
    const there = await datasetExists(path);
    return new MeasuredRun(state, options, there ? (await readManifest(path)).sha256 : state.run.data.sha256);
  }

  /** The model on a replica, with its data. @throws {DataError} when the data is not there */
  trained(): Promise<Trained> {
    this.#trained ??= openReplicaOf(this.#state, this.#options);
    return this.#trained;
  }

  /** Seed of drawn samples, lines and pictures. */
  get alignmentSeed(): number {
    return this.run.config.evaluation.alignment.seed ?? this.run.config.seed;
  }

  /** Codes of the test samples that are compared, from these modalities; computed once. */
  codes(present: readonly string[]): Promise<EncodedSplit> {
    const name = present.join("+");
    const known = this.#codes.get(name);
    if (known) return known;
    const codes = this.#encode(present);
    this.#codes.set(name, codes);
    return codes;
  }

  async close(): Promise<void> {
    await (await this.#trained?.catch(() => undefined))?.close();
  }

  async #encode(present: readonly string[]): Promise<EncodedSplit> {
    const { dataset, model, replica } = await this.trained();
    const { data, evaluation } = this.run.config;
    const { signal, onProgress } = this.call;
    const samples = dataset.split(data.testSplit).samples;
    const subset = alignmentSamples(this.alignmentSeed, samples, evaluation.alignment.samples);
    return encodeSplit({
      model,
      replica,
      dataset,
      split: data.testSplit,
      present,
      rows: evaluation.rows,
      ...(subset && { subset }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress: (progress) => onProgress({ phase: "task", ...progress }) }),
    });
  }
}
