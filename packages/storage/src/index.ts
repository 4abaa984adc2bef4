export type { FileContent, StagedFile } from "./atomic.ts";
export { exists, removeTemporaries, stageFile, writeFileAtomic, writeFolderAtomic } from "./atomic.ts";
export type { DType, NumericArray } from "./dtypes.ts";
export {
  bfloat16ToFloat32,
  bytesOf,
  dtypeOf,
  elementsOf,
  float16ToFloat32,
  ITEM_BYTES,
  toFloat32,
} from "./dtypes.ts";
export type { RunEnvironment } from "./environment.ts";
export { captureEnvironment } from "./environment.ts";
export type { NpyArray } from "./npy.ts";
export { decodeNpy, encodeNpy } from "./npy.ts";
export { type NpyFile, openNpy } from "./npy-file.ts";
export { createNpy, type NpyWriter } from "./npy-writer.ts";
export type { MetricsRecord, RunFolder } from "./run-folder.ts";
export {
  appendMetrics,
  createRunFolder,
  openRunFolder,
  readJson,
  readMetrics,
  trimMetrics,
  writeJson,
} from "./run-folder.ts";
export type { NamedTensor, SafetensorsFile, StoredTensor } from "./safetensors.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export { sha256OfFile } from "./sha256.ts";
