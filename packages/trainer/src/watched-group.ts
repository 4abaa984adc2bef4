import type { Collective } from "@gmc/collectives";
import { CancelledError, EnvironmentError, PeerLostError, StaleGenerationError } from "@gmc/core";
import type { StepGroup } from "./step-group.ts";

/** A group whose failures are known: an engine may be out of memory too, and that is no reason to go on elsewhere. */
export interface WatchedGroup extends StepGroup {
  /** True for what a call of this group was rejected with because the group is no more: the run can go on in another one. */
  isOver(error: unknown): boolean;
}

const OVER = [StaleGenerationError, PeerLostError, EnvironmentError, CancelledError];

export function watchGroup({ collective, commit }: StepGroup): WatchedGroup {
  const failures = new Set<unknown>();
  const watch = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (OVER.some((type) => error instanceof type)) failures.add(error);
      throw error;
    }
  };
  const watched: Collective = {
    rank: collective.rank,
    shardsOfWorkers: collective.shardsOfWorkers,
    wire: collective.wire,
    get traffic() {
      return collective.traffic;
    },
    gather: (...call) => watch(collective.gather(...call)),
    reduce: (...call) => watch(collective.reduce(...call)),
    broadcast: (...call) => watch(collective.broadcast(...call)),
    release: (scope) => watch(collective.release(scope)),
    close: () => collective.close(),
  };
  return {
    collective: watched,
    commit: (...marker) => watch(commit(...marker)),
    isOver: (error) => failures.has(error),
  };
}
