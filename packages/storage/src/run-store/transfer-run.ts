import { openFolderStore } from "./folder-store.ts";
import { type MirrorResult, mirrorFiles } from "./mirror.ts";
import { openRemoteStore, type RunStoreAccess, storeFailure } from "./remote-store.ts";

export interface TransferRunOptions extends RunStoreAccess {
  /** Where sums of local files are remembered. Default: the process's cache folder. */
  readonly cache?: string | undefined;
}

/**
 * Brings a run's folder to a run store: what differs is sent, tensor files before the pointers that name them, metrics
 * and record last, then old checkpoints are removed there. Whenever it is killed, the store has whole checkpoints (old
 * or new) or none; the next call goes on. A run that is not there locally changes nothing.
 *
 * @param folder  the run's folder here
 * @param url     the store's URL
 * @param run     the run's name there
 * @throws {StaleGenerationError} when a later generation or another training has spoken: nothing more is changed
 * @throws {EnvironmentError} when the store cannot be reached or refuses the token
 * @throws {CancelledError} when the signal fires
 */
export async function pushRun(
  folder: string,
  url: string,
  run: string,
  options: TransferRunOptions,
): Promise<MirrorResult> {
  const remote = openRemoteStore(url, run, options);
  return transfer(url, run, options, (retry) => mirrorFiles(openFolderStore(folder, options), remote, retry));
}

/**
 * The same the other way: brings the run's files here. A run that the store does not have changes nothing. With a fence
 * it takes the run over from whoever trained it before; what they still push is refused.
 */
export async function pullRun(
  url: string,
  run: string,
  folder: string,
  options: TransferRunOptions,
): Promise<MirrorResult> {
  const remote = openRemoteStore(url, run, options, true);
  return transfer(url, run, options, (retry) => mirrorFiles(remote, openFolderStore(folder, options), retry));
}

async function transfer(
  url: string,
  run: string,
  { signal, transfer }: TransferRunOptions,
  work: (retry: Parameters<typeof mirrorFiles>[2]) => Promise<MirrorResult>,
): Promise<MirrorResult> {
  try {
    return await work({ ...transfer, signal });
  } catch (error) {
    throw storeFailure(url, run, error);
  }
}
