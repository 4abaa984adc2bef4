import type { Model } from "@gmc/core";
import { integerAt, normalAt, randomKey } from "@gmc/core";
import { openDatasetWriter } from "@gmc/data";
import { buildModel, ModelConfig } from "@gmc/models";

/** Classes of the toy data. */
export const CLASSES = ["a", "b", "c"];
const WIDTHS = { left: 6, right: 4 };

/** Two vectors and, where there are classes, a label: each vector is its class's (else the sample's) own direction plus noise. */
export async function writeToyData(
  out: string,
  { labelled, splits }: { labelled: boolean; splits: Readonly<Record<string, number>> },
): Promise<void> {
  const vector = (name: keyof typeof WIDTHS) =>
    ({ name, kind: "vector", shape: [WIDTHS[name]], dtype: "float32" }) as const;
  const writer = await openDatasetWriter({
    out,
    name: "toy",
    modalities: [vector("left"), vector("right"), ...(labelled ? [{ name: "label", kind: "label" } as const] : [])],
    ...(labelled && { classes: CLASSES }),
    source: "made by a test",
  });
  try {
    for (const [split, samples] of Object.entries(splits)) {
      const key = randomKey(1, split);
      const labels = Int32Array.from({ length: samples }, (_, i) => integerAt(key, i, CLASSES.length));
      const rows = (name: keyof typeof WIDTHS): Float32Array =>
        Float32Array.from({ length: samples * WIDTHS[name] }, (_, i) => {
          const sample = Math.floor(i / WIDTHS[name]);
          const on = (labelled ? (labels[sample] ?? 0) : sample) % WIDTHS[name] === i % WIDTHS[name];
          return (on ? 2 : 0) + 0.1 * normalAt(randomKey(2, `${split}/${name}`), i);
        });
      await writer.split(split).append({ left: rows("left"), right: rows("right") }, labelled ? labels : undefined);
    }
    await writer.finish();
  } finally {
    await writer.close();
  }
}

/** A narrow GMC of the toy data. */
export function toyModel(modalities: Parameters<typeof buildModel>[1]): Promise<Model> {
  const encoder = { kind: "mlp", widths: [16] } as const;
  const config = ModelConfig.parse({
    modalities: Object.fromEntries(
      modalities.map(({ name, kind }) => [name, { encoder: kind === "label" ? { kind: "linear" } : encoder }]),
    ),
    commonDim: 8,
    latentDim: 8,
    head: { widths: [16] },
  });
  return buildModel(config, modalities);
}
