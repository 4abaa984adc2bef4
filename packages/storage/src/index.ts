export type { FileContent, StagedFile } from "./atomic.ts";
export { exists, removeTemporaries, stageFile, writeFileAtomic, writeFolderAtomic } from "./atomic.ts";
export { cacheFolder, useCacheFolder } from "./cache-folder.ts";
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
export type { FileLock, FileLockOptions } from "./file-lock.ts";
export { acquireFileLock } from "./file-lock.ts";
export type { FetchFileOptions, TransferOptions } from "./http/fetch-file.ts";
export { fetchFile } from "./http/fetch-file.ts";
export type { FetchTextOptions } from "./http/fetch-text.ts";
export { fetchText } from "./http/fetch-text.ts";
export type { HttpServer, ListenOptions } from "./http/listen.ts";
export { listenHttp } from "./http/listen.ts";
export type { ServedFile } from "./http/send-file.ts";
export { sendFile, sendText } from "./http/send-file.ts";
export type { KnownSum, KnownSumOptions } from "./known-sums.ts";
export { knownSha256 } from "./known-sums.ts";
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
export type { Fence } from "./run-store/fences.ts";
export type { MirrorResult } from "./run-store/mirror.ts";
export type { RunStoreAccess } from "./run-store/remote-store.ts";
export type { RunStoreHandler, RunStoreOptions } from "./run-store/serve-runs.ts";
export { runStoreHandler, serveRuns } from "./run-store/serve-runs.ts";
export type { TransferRunOptions } from "./run-store/transfer-run.ts";
export { pullRun, pushRun } from "./run-store/transfer-run.ts";
export type { NamedTensor, SafetensorsFile, StoredTensor } from "./safetensors.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export { sha256OfFile } from "./sha256.ts";
