import { DataError } from "@gmc/core";
import { decodeNpy, type NpyArray } from "@gmc/storage";
import { openZip } from "./zip-archive.ts";

/** The names of the arrays in an npz archive. */
export async function npzKeys(path: string): Promise<string[]> {
  const archive = await openZip(path);
  await archive.close();
  return [...archive.entries.keys()].filter((name) => name.endsWith(".npy")).map((name) => name.slice(0, -4));
}

/**
 * The array called `key` of an npz archive (`np.savez` or `np.savez_compressed`).
 *
 * @throws {DataError} when there is no such array, naming those there are
 */
export async function readNpzArray(path: string, key: string): Promise<NpyArray> {
  const archive = await openZip(path);
  try {
    if (!archive.entries.has(`${key}.npy`)) {
      const keys = [...archive.entries.keys()].map((name) => name.replace(/\.npy$/, "")).join(", ");
      throw new DataError(`${path} has no array "${key}"; it has ${keys}.`, { path, key });
    }
    return decodeNpy(await archive.read(`${key}.npy`), `${path}[${key}]`);
  } finally {
    await archive.close();
  }
}

/** All arrays of an npz archive by name. */
export async function readNpz(path: string): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const key of await npzKeys(path)) arrays.set(key, await readNpzArray(path, key));
  return arrays;
}
