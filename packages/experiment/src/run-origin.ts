import type { ComputeDevice } from "@gmc/core";
import { DataError } from "@gmc/core";
import type { Dataset } from "@gmc/data";
import { absoluteDataPath } from "@gmc/data";
import type { ModalityInfo } from "@gmc/models";
import type { RunFolder } from "@gmc/storage";
import { captureEnvironment, readJson, writeJson } from "@gmc/storage";
import { z } from "zod";
import { packageVersions } from "./package-versions.ts";

/** What a run's model was built for: enough to build it again where the training data is not at hand. */
const DataOrigin = z
  .object({
    /** Absolute, or a URL: where the data lay at the start. */
    path: z.string(),
    sha256: z.string(),
    modalities: z
      .array(
        z
          .object({
            name: z.string(),
            kind: z.enum(["image", "spectrogram", "vector", "label"]),
            shape: z.array(z.int().positive()).readonly(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();
export type DataOrigin = z.infer<typeof DataOrigin>;

/** What a run is started with, for `environment.json`. */
export function dataOrigin(dataset: Dataset): DataOrigin {
  const modalities = dataset.modalities.map(
    ({ name, kind, shape }): ModalityInfo => ({ name, kind, shape: [...shape] }),
  );
  return { path: absoluteDataPath(dataset.path), sha256: dataset.sha256, modalities };
}

/** Writes `environment.json`: machine, versions, what computes, and the data the run is made on. */
export async function writeOrigin(folder: RunFolder, data: DataOrigin, device: ComputeDevice): Promise<void> {
  await writeJson(folder.environment, {
    ...(await captureEnvironment(packageVersions(), sourceFolder())),
    device,
    data,
  });
}

/** What computed a run when it began; undefined where nobody wrote that down. */
export async function readDevice(folder: RunFolder): Promise<string | undefined> {
  const parsed = z
    .object({ device: z.object({ kind: z.string(), library: z.string().optional() }) })
    .safeParse(await readJson(folder.environment));
  return parsed.data && deviceText(parsed.data.device);
}

/** What of a device decides the bits. */
export const deviceText = ({
  kind,
  library,
}: {
  readonly kind: string;
  readonly library?: string | undefined;
}): string => (library === undefined ? kind : `${kind}, ${library}`);

/** The data a run was made on. @throws {DataError} when `environment.json` is missing or was edited */
export async function readOrigin(folder: RunFolder): Promise<DataOrigin> {
  const parsed = z.object({ data: DataOrigin }).safeParse(await readJson(folder.environment));
  if (parsed.success) return parsed.data.data;
  throw new DataError(
    `${folder.environment} does not say what data the run was made on: ${z.prettifyError(parsed.error)}`,
    {
      path: folder.environment,
    },
  );
}

/** The checkout this runs from; undefined for an installed package, which may lie in somebody else's checkout. */
const sourceFolder = (): string | undefined =>
  import.meta.dirname.includes("node_modules") ? undefined : import.meta.dirname;
