/** A file of a run as one moment saw it. */
export interface StoredFile {
  /** Relative to the run, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** The files of one run, in a folder or behind HTTP. Hidden files do not exist here. */
export interface FileStore {
  /** By path; empty where the run is not there yet. */
  list(signal?: AbortSignal): Promise<ReadonlyMap<string, StoredFile>>;
  /** The file's bytes, exactly those that `file` stands for. @throws {ChangedError} when it is another one by now */
  read(file: StoredFile, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Puts the file in its place as a whole, or not at all. */
  put(file: StoredFile, content: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /** Does nothing where it is not there. */
  remove(path: string, signal?: AbortSignal): Promise<void>;
}

/** A file was replaced or removed while it was read: look again. */
export class ChangedError extends Error {
  override readonly name = "ChangedError";
}

/** A part of a path that can be nothing but a name: not hidden, not a step up, no drive. */
const isPlainName = (name: string): boolean => /^[^.\\/:\0][^\\/:\0]{0,254}$/.test(name);

/** The parts of a run's name or a file's path; undefined for one that could lead elsewhere. */
export function plainParts(path: string): readonly string[] | undefined {
  const parts = path.split("/");
  return parts.every(isPlainName) && path.length <= 1024 ? parts : undefined;
}
