import type { OrtApi, Pointer } from "./ort-library.ts";

/** Throws what a status says and releases it; null is success. */
export function check(api: OrtApi, status: Pointer): void {
  if (!status) return;
  const message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw new Error(`onnxruntime: ${message}`);
}

/** The object that a function writes to its last argument. */
export function create(api: OrtApi, call: (out: BigUint64Array) => Pointer): bigint {
  const out = new BigUint64Array(1);
  check(api, call(out));
  return out[0] ?? 0n;
}

/** Settles when an asynchronous call has come back, as its status says. */
export const settled = (
  api: OrtApi,
  start: (done: (error: Error | null, status: Pointer) => void) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error, status) => {
      try {
        if (error) throw error;
        check(api, status);
        resolve();
      } catch (failure) {
        reject(failure);
      }
    });
  });
