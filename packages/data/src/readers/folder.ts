import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { DataError } from "@gmc/core";

/** A file found in a folder. */
export interface FolderFile {
  readonly path: string;
  /** Relative to the folder, without extension, with `/`: what pairs files of two folders. */
  readonly stem: string;
  /** Name of the subfolder it lies in; empty at the top. */
  readonly group: string;
}

/**
 * The files with one of the extensions, in all subfolders, in the order of their stems (by code unit).
 *
 * @param extensions  lower case with the dot
 * @throws {DataError} when the folder is missing or has none
 */
export async function listFiles(folder: string, extensions: readonly string[]): Promise<FolderFile[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new DataError(`Folder ${folder} cannot be read: ${(cause as Error).message}`, { path: folder }, { cause });
  });
  const files: FolderFile[] = [];
  for (const entry of found) {
    const dot = entry.name.lastIndexOf(".");
    if (!entry.isFile() || entry.name.startsWith(".") || !extensions.includes(entry.name.slice(dot).toLowerCase()))
      continue;
    const inside = relative(folder, entry.parentPath).split(sep).join("/");
    const name = entry.name.slice(0, dot);
    files.push({
      path: join(entry.parentPath, entry.name),
      stem: inside === "" ? name : `${inside}/${name}`,
      group: inside.split("/").at(-1) ?? "",
    });
  }
  if (files.length === 0) throw new DataError(`${folder} holds no ${extensions.join(", ")} file.`, { path: folder });
  return files.sort((a, b) => (a.stem < b.stem ? -1 : a.stem > b.stem ? 1 : 0));
}
