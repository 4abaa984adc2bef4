import { UsageError } from "@gmc/core";
import type { AlignedModality, JudgedCodes, ModalityAlignment } from "@gmc/evaluation";
import { alignModality, judgedCodes } from "@gmc/evaluation";
import { readSafetensors, writeSafetensors } from "@gmc/storage";
import type { MeasuredRun } from "./measured-run.ts";

/** Each comparison by its name: "image", "image+sound". */
export type Alignments = ReadonlyMap<string, AlignedModality>;

/** The wanted comparisons, in the order asked for. */
export async function alignmentsOf(measured: MeasuredRun, wanted?: readonly string[]): Promise<Alignments> {
  const cases = casesOf(measured.model.modalities, wanted);
  const found = new Map<string, AlignedModality>();
  for (const [place, { name, present }] of cases.entries()) {
    const make = () => align(measured, present, `${name}, ${place + 1} of ${cases.length}`);
    found.set(
      name,
      await measured.cache.get([`alignment-${name}`, ".safetensors"], settingsOf(measured, name), ALIGNED, make),
    );
  }
  return found;
}

/** What the alignment with one modality depends on beside weights and data. */
export function settingsOf(measured: MeasuredRun, name: string): unknown {
  const { threads: _, ...settings } = measured.run.config.evaluation.alignment;
  return { name, ...settings, seed: measured.alignmentSeed };
}

/** The codes that stand for a modality in a comparison. */
export async function judgedCodesOf(measured: MeasuredRun, present: readonly string[]): Promise<JudgedCodes> {
  const { dataset } = await measured.trained();
  const { decimals } = measured.run.config.evaluation.alignment;
  return judgedCodes(await measured.codes(present), decimals, dataset.classes?.length);
}

/** Modalities of each comparison by its name, in the model's order. @throws {UsageError} naming those the model knows */
function casesOf(known: readonly string[], wanted: readonly string[] = known) {
  if (wanted.length === 0) throw new UsageError(`Modalities: the model knows ${known.join(", ")}; received none.`);
  const cases = wanted.map((asked) => {
    const names = asked.split("+");
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      const message = `Modalities: the model knows ${known.join(", ")}; received "${unknown}".`;
      throw new UsageError(message, { known, wanted });
    }
    const present = known.filter((name) => names.includes(name));
    return { name: present.join("+"), present };
  });
  return cases.filter(({ name }, i) => cases.findIndex((other) => other.name === name) === i);
}

async function align(measured: MeasuredRun, present: readonly string[], detail: string): Promise<AlignedModality> {
  const { signal, onProgress } = measured.call;
  const complete = await measured.codes(measured.model.modalities);
  const modality = await judgedCodesOf(measured, present);
  return alignModality({
    complete,
    modality,
    config: measured.run.config.evaluation.alignment,
    seed: measured.alignmentSeed,
    ...(signal && { signal }),
    ...(onProgress && {
      onProgress: ({ done }) =>
        onProgress({ phase: "task", label: "Aligning", detail, done: 1000 * done, total: 1000 }),
    }),
  });
}

/** One comparison as a file: the summary, and for every code whether it is an outlier and its component. */
const ALIGNED = {
  async read(path: string): Promise<AlignedModality> {
    const { metadata, tensors } = await readSafetensors(path);
    return {
      summary: JSON.parse(metadata.summary ?? "") as ModalityAlignment,
      outliers: tensors.get("outliers")?.data as Uint8Array,
      componentOf: tensors.get("componentOf")?.data as Int32Array,
    };
  },
  async write(path: string, { summary, outliers, componentOf }: AlignedModality): Promise<void> {
    const tensors = Object.entries({ outliers, componentOf }).map(([name, data]) => ({
      name,
      shape: [data.length],
      data,
    }));
    await writeSafetensors(path, tensors, { summary: JSON.stringify(summary) });
  },
};
