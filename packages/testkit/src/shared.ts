import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const repository = new URL("../../../", import.meta.url);

/**
 * Path of a large reference file, or undefined where the reference folder is absent: then skip, saying which file.
 * The folder is `GMC_SHARED`, or `shared` beside the repository.
 */
export function sharedPath(relative: string): string | undefined {
  const folder = process.env.GMC_SHARED ?? fileURLToPath(new URL("../shared", repository));
  const path = `${folder}/${relative}`;
  return existsSync(path) ? path : undefined;
}

/** Path of a committed fixture of the testkit, for instance "small-model.safetensors". */
export const fixturePath = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
