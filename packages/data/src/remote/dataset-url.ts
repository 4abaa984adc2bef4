import { resolve } from "node:path";
import { UsageError } from "@gmc/core";

/** True for a data set that is named by http:// or https:// and not by a folder. */
export const isDatasetUrl = (path: string): boolean => /^https?:\/\//i.test(path);

/** A data set's name that means the same from any working folder: the URL as it is, a folder absolute. */
export const absoluteDataPath = (path: string): string => (isDatasetUrl(path) ? path : resolve(path));

/**
 * The URL below which manifest and files lie; it may be given with or without the last slash, or as the manifest's.
 *
 * @throws {UsageError} for what cannot be one, a password in it, or a query
 */
export function datasetUrl(path: string): URL {
  if (!URL.canParse(path)) throw new UsageError(`"${path}" is not a URL; expected http://HOST:PORT/.`, { path });
  const url = new URL(path);
  if (url.username !== "" || url.password !== "") {
    const shown = `${url.protocol}//${url.host}${url.pathname}`;
    throw new UsageError(
      `The data set's URL ${shown} holds a user or password, which every run's record would show; serve it where the network decides who may read.`,
      { url: shown },
    );
  }
  if (url.search !== "") {
    throw new UsageError(
      `${path} has a query; a data set's files lie below a plain URL, as \`gmc data serve\` prints it.`,
      {
        path,
      },
    );
  }
  url.hash = "";
  url.pathname = `${url.pathname.replace(/\/manifest\.json$/, "").replace(/\/+$/, "")}/`;
  return url;
}

/** URL of one of the data set's files. */
export const fileUrl = (base: URL, path: string): URL =>
  new URL(path.split("/").map(encodeURIComponent).join("/"), base);
