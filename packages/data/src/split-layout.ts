import { DataError, type InputSpec, type Shape, ShapeError, sameShape, sizeOf } from "@gmc/core";
import type { ModalityEntry } from "./manifest.ts";
import type { RowFile } from "./row-file.ts";

/** Where the tensors of a split are. */
export interface SplitLayout {
  readonly name: string;
  /** The data set's folder, for messages. */
  readonly dataset: string;
  readonly samples: number;
  readonly modalities: readonly ModalityEntry[];
  /** By modality; a label has none. */
  readonly files: ReadonlyMap<string, RowFile>;
  readonly labels: RowFile | undefined;
  readonly classes: number | undefined;
}

/** One input that comes from the data. Plain data: it crosses threads. */
export interface StoredInput {
  readonly name: string;
  /** Of one sample. */
  readonly shape: Shape;
  readonly file: RowFile;
  /** The file holds class indices and the input is their one-hot. */
  readonly oneHot: boolean;
}

/**
 * Where the inputs of a graph come from; masks and noise are left out, the trainer draws them.
 *
 * @throws {DataError}  for a modality that the set does not have, or a label or target where there are no labels
 * @throws {ShapeError} when the model expects another shape of a sample
 */
export function storedInputs(layout: SplitLayout, inputs: readonly InputSpec[]): readonly StoredInput[] {
  return inputs.flatMap(({ name, shape, source }) => {
    if (source.kind === "mask" || source.kind === "noise") return [];
    const stored = source.kind === "target" ? labelSource(layout, name) : modalitySource(layout, name);
    const expected = shape.slice(1);
    if (sameShape(expected, stored.shape)) return [stored];
    throw new ShapeError(`Input "${name}" of the model, from ${layout.dataset}`, expected, stored.shape);
  });
}

/** Where a modality comes from. @throws {DataError} that names the modalities there are */
export function modalitySource(layout: SplitLayout, name: string): StoredInput {
  const { modalities, dataset, files } = layout;
  const entry = modalities.find((modality) => modality.name === name);
  if (entry?.kind === "label") return labelSource(layout, name);
  const file = files.get(name);
  if (entry && file) return { name, shape: entry.shape, file, oneHot: false };
  const known = modalities.map((modality) => `"${modality.name}" [${modality.shape}]`).join(", ");
  throw new DataError(`${dataset} has no modality "${name}"; it has ${known}.`, { path: dataset, modality: name });
}

const labelSource = (layout: SplitLayout, name: string): StoredInput => ({
  name,
  shape: [layout.classes ?? 0],
  file: requireLabels(layout),
  oneHot: true,
});

/** Where the labels are. @throws {DataError} when the set has none */
export function requireLabels({ labels, dataset, name }: SplitLayout): RowFile {
  if (labels) return labels;
  throw new DataError(
    `${dataset} has no labels (split "${name}"): it can train and encode, but targets, classifiers and accuracies need labels.`,
    { path: dataset, split: name },
  );
}

/** Values [n, …] of an input from the numbers its file holds: the values themselves, or [n] class indices. */
export function inputValues(input: StoredInput, stored: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (!input.oneHot) return stored;
  return oneHot(stored, sizeOf(input.shape));
}

/** [n, classes] one-hot rows of [n] class indices. */
export function oneHot(labels: ArrayLike<number>, classes: number): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) rows[i * classes + (labels[i] ?? 0)] = 1;
  return rows;
}
