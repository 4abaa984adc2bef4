import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DataError } from "@gmc/core";

const gunzipAsync = promisify(gunzip);

/** A source file's bytes, unpacked when it is gzip (by content, whatever its name). @throws {DataError} naming the file */
export async function readSourceFile(path: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path);
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? await gunzipAsync(bytes) : bytes;
  } catch (cause) {
    throw new DataError(`${path} cannot be read: ${(cause as Error).message}`, { path }, { cause });
  }
}
