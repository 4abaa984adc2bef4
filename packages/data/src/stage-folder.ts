import { writeFolderAtomic } from "@gmc/storage";

/** A folder that is filled beside its target and not yet in its place. */
export interface StagedFolder {
  /** Where to write meanwhile. */
  readonly path: string;
  /** Puts the folder in its place. */
  commit(): Promise<void>;
  /** Removes what was written; does nothing after `commit`. */
  discard(): Promise<void>;
}

/** `writeFolderAtomic` for work that cannot be one callback. @throws {UsageError} when `target` exists */
export async function stageFolder(target: string): Promise<StagedFolder> {
  let settle: (commit: boolean) => void = () => {};
  const decided = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  let done: Promise<void> = Promise.resolve();
  const path = await new Promise<string>((resolve, reject) => {
    done = writeFolderAtomic(target, async (temporary) => {
      resolve(temporary);
      if (!(await decided)) throw new Discarded();
    });
    done.catch(reject); // refused before `fill` ran; later the promise is already resolved
  });
  return {
    path,
    commit: () => {
      settle(true);
      return done;
    },
    discard: () => {
      settle(false);
      return done.catch((error: unknown) => {
        if (!(error instanceof Discarded)) throw error;
      });
    },
  };
}

class Discarded extends Error {}
