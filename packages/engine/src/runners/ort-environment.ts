import { check, create } from "./ort-call.ts";
import type { OrtApi } from "./ort-library.ts";

const LOG_ERRORS = 3;

/** onnxruntime's environment: one a process, with one thread pool for all sessions, so that pools do not fight for cores. */
export interface OrtEnvironment {
  readonly pointer: bigint;
  /** Threads of its pool. */
  readonly threads: number;
  /** False once it turned out that another library in this process made the environment first, without a pool. */
  hasPool: boolean;
  users: number;
}

let open: OrtEnvironment | undefined;

/**
 * The environment, made at the first call with a pool of `threads`; later calls share it, whatever their number. Every
 * call needs its `releaseEnvironment`.
 */
export function acquireEnvironment(api: OrtApi, threads: number): OrtEnvironment {
  open ??= { pointer: createEnvironment(api, threads), threads, hasPool: true, users: 0 };
  open.users++;
  return open;
}

/** Frees the environment and its threads after the last user's call. */
export function releaseEnvironment(api: OrtApi, environment: OrtEnvironment): void {
  environment.users--;
  if (environment.users > 0) return;
  if (open === environment) open = undefined;
  api.ReleaseEnv(environment.pointer);
}

function createEnvironment(api: OrtApi, threads: number): bigint {
  const options = create(api, (out) => api.CreateThreadingOptions(out));
  try {
    check(api, api.SetGlobalIntraOpNumThreads(options, threads));
    check(api, api.SetGlobalInterOpNumThreads(options, 1));
    return create(api, (out) => api.CreateEnvWithGlobalThreadPools(LOG_ERRORS, "gmc", options, out));
  } finally {
    api.ReleaseThreadingOptions(options);
  }
}
