import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** sha256 (hex) of a file's bytes, read piece by piece; with `bytes` of its first ones only, where others may be added. */
export async function sha256OfFile(path: string, signal?: AbortSignal, bytes?: number): Promise<string> {
  const hash = createHash("sha256");
  if (bytes === 0) return hash.digest("hex");
  const range = bytes === undefined ? {} : { end: bytes - 1 };
  const stream = createReadStream(path, { highWaterMark: 1 << 20, ...range, ...(signal ? { signal } : {}) });
  for await (const chunk of stream) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
