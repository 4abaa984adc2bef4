import type { Model } from "@gmc/core";
import { DataError } from "@gmc/core";
import { datasetExists, readManifest } from "@gmc/data";
import type { ModalityInfo } from "@gmc/models";
import { buildModel } from "@gmc/models";
import type { RunConfig } from "./run-config.ts";

/** Modalities of the data set that the preset mhd is for: its size is known before the data is there. */
const MHD: readonly ModalityInfo[] = [
  { name: "image", kind: "image", shape: [28, 28, 1] },
  { name: "sound", kind: "spectrogram", shape: [32, 128, 1] },
  { name: "trajectory", kind: "vector", shape: [200] },
  { name: "label", kind: "label", shape: [10] },
];

/**
 * The model a config describes, from the data set's manifest alone; the preset mhd needs no data set.
 *
 * @throws {DataError} when the data set is not there, {ConfigError} when the model does not fit it
 */
export async function modelOfConfig({ data, model }: RunConfig): Promise<Model> {
  if (await datasetExists(data.path)) return buildModel(model, (await readManifest(data.path)).modalities);
  if (model.preset === "mhd") return buildModel(model, MHD);
  const message = `The model depends on the data set's modalities, and ${data.path} has none yet; make it with gmc data, or give --data.path.`;
  throw new DataError(message, { path: data.path });
}
