export type { BatchSource, GlobalBatch } from "./batch-source.ts";
export type { BuildDigitsOptions } from "./builders/digits.ts";
export { buildDigits } from "./builders/digits.ts";
export { ImportConfig, readImportConfig } from "./builders/import-config.ts";
export type { ImportOptions } from "./builders/import-dataset.ts";
export { importDataset } from "./builders/import-dataset.ts";
export type { BuildMhdOptions } from "./builders/mhd.ts";
export { buildMhd } from "./builders/mhd.ts";
export { DataConfig } from "./config.ts";
export type { Dataset, Modality } from "./dataset.ts";
export { datasetExists, openDataset, readManifest } from "./dataset.ts";
export type {
  DatasetWriter,
  DatasetWriterOptions,
  ModalityDefinition,
  SplitWriter,
  StoredRows,
} from "./dataset-writer.ts";
export { openDatasetWriter } from "./dataset-writer.ts";
export type { DrawOptions } from "./draw-strokes.ts";
export { DIGIT_IMAGE, drawStrokes } from "./draw-strokes.ts";
export type { EvaluationBatch } from "./evaluation-batches.ts";
export { evaluationBatches } from "./evaluation-batches.ts";
export type { DatasetSummary } from "./inspect.ts";
export { inspectDataset } from "./inspect.ts";
export { loadSharp } from "./load-sharp.ts";
export type {
  FileEntry,
  FileModalityEntry,
  ModalityEntry,
  ModalityStatistics,
  SplitEntry,
  StoredDType,
} from "./manifest.ts";
export { Manifest, manifestSha256 } from "./manifest.ts";
export type { MemoryBatchesOptions } from "./memory-batches.ts";
export { memoryBatches } from "./memory-batches.ts";
export type { CsvTable } from "./readers/csv.ts";
export { csvColumn, csvNumbers, readCsv } from "./readers/csv.ts";
export type { FolderFile } from "./readers/folder.ts";
export { listFiles } from "./readers/folder.ts";
export { readIdx } from "./readers/idx.ts";
export type { ImageOptions } from "./readers/image.ts";
export { readImage } from "./readers/image.ts";
export type { LogMelOptions } from "./readers/log-mel.ts";
export { DIGITS_LOG_MEL, logMel } from "./readers/log-mel.ts";
export { npzKeys, readNpz, readNpzArray } from "./readers/npz.ts";
export type { LoadedValue, TorchFile, TorchValue } from "./readers/torch.ts";
export { openTorch, readTorch } from "./readers/torch.ts";
export type { TorchTensor } from "./readers/torch-tensor.ts";
export { resampleTrajectory } from "./readers/trajectory.ts";
export type { PenSample } from "./readers/unipen.ts";
export { readUnipen } from "./readers/unipen.ts";
export type { Recording } from "./readers/wav.ts";
export { readWav } from "./readers/wav.ts";
export type { DataAccess, FetchProgress } from "./remote/data-access.ts";
export { absoluteDataPath, isDatasetUrl } from "./remote/dataset-url.ts";
export type { DatasetServer, ServeDatasetOptions } from "./remote/serve-dataset.ts";
export { serveDataset } from "./remote/serve-dataset.ts";
export type { BatchOptions } from "./sampler.ts";
export { epochOrder, holdOut } from "./sampler.ts";
export type { ContactSheetOptions } from "./sheet/contact-sheet.ts";
export { contactSheet } from "./sheet/contact-sheet.ts";
export type { Split } from "./split.ts";
export type { SynthesiseOptions } from "./synth/synthesise-digits.ts";
export { synthesiseDigits } from "./synth/synthesise-digits.ts";
export type { TrainBatches, TrainBatchesOptions } from "./train-batches.ts";
export { trainBatches } from "./train-batches.ts";
export type { Verification, VerifyOptions, VerifyProgress } from "./verify.ts";
export { verifyDataset } from "./verify.ts";
