export type {
  DatasetWriter,
  DatasetWriterOptions,
  ModalityDefinition,
  SplitWriter,
  StoredRows,
} from "./dataset-writer.ts";
export { openDatasetWriter } from "./dataset-writer.ts";
export type {
  FileEntry,
  FileModalityEntry,
  ModalityEntry,
  ModalityStatistics,
  SplitEntry,
  StoredDType,
} from "./manifest.ts";
export { Manifest, manifestSha256 } from "./manifest.ts";
export type { BatchOptions } from "./sampler.ts";
export { epochOrder, holdOut } from "./sampler.ts";
