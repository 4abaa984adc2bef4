import { openDataset } from "./dataset.ts";
import type { Manifest, ModalityStatistics } from "./manifest.ts";
import type { DataAccess } from "./remote/data-access.ts";

/** What `gmc data inspect` tells of a data set. JSON-safe. */
export interface DatasetSummary {
  readonly path: string;
  readonly name: string;
  /** Of the manifest, and so of all content. */
  readonly sha256: string;
  /** Over all splits. */
  readonly samples: number;
  readonly bytes: number;
  readonly modalities: readonly {
    readonly name: string;
    readonly kind: string;
    readonly shape: readonly number[];
    /** Absent for a label, which has no file. */
    readonly dtype?: string;
    readonly statistics?: ModalityStatistics;
  }[];
  readonly splits: readonly { readonly name: string; readonly samples: number; readonly bytes: number }[];
  /** Samples of each class by split; absent for a set without labels. */
  readonly classes?: readonly { readonly name: string; readonly samples: Readonly<Record<string, number>> }[];
  readonly source: Manifest["source"];
}

/**
 * Summary of the data set in a folder or at a URL.
 *
 * @throws {DataError} when it is no data set, or its files are not as the manifest says
 */
export async function inspectDataset(path: string, access: DataAccess = {}): Promise<DatasetSummary> {
  const dataset = await openDataset(path, access);
  try {
    const { name, sha256, source, modalities } = dataset.manifest;
    const splits = Object.entries(dataset.manifest.splits).map(([split, { samples, files, labels }]) => ({
      name: split,
      samples,
      bytes: [...Object.values(files), ...(labels ? [labels] : [])].reduce((sum, file) => sum + file.bytes, 0),
    }));
    const counts = new Map<string, Uint32Array>();
    for (const split of dataset.classes ? splits : []) {
      counts.set(split.name, countLabels(await dataset.split(split.name).readLabels(), dataset.classes?.length ?? 0));
    }
    const classes = dataset.classes?.map((className, index) => ({
      name: className,
      samples: Object.fromEntries([...counts].map(([split, count]) => [split, count[index] ?? 0])),
    }));
    return {
      path,
      name,
      sha256,
      samples: splits.reduce((sum, split) => sum + split.samples, 0),
      bytes: splits.reduce((sum, split) => sum + split.bytes, 0),
      modalities: modalities.map((entry) => {
        if (entry.kind === "label") return { name: entry.name, kind: entry.kind, shape: entry.shape };
        const { name: modality, kind, shape, dtype, statistics } = entry;
        return { name: modality, kind, shape, dtype, statistics };
      }),
      splits,
      ...(classes ? { classes } : {}),
      source,
    };
  } finally {
    await dataset.close();
  }
}

function countLabels(labels: Int32Array, classes: number): Uint32Array {
  const counts = new Uint32Array(classes);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
