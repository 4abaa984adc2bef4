import type { FetchProgress } from "@gmc/data";
import type { Context } from "./context.ts";
import type { StatusUpdate } from "./status.ts";
import { byteSize } from "./text-table.ts";

/** A listener that shows on the status line how much of a data set by URL is here. */
export const showFetching =
  ({ status }: Context) =>
  (progress: FetchProgress): void =>
    status.update(statusOf(progress));

/** The same of the fields of the event `data.fetch`, for commands whose data is opened deep inside. */
export const fetchStatus = ({ file, bytesDone, bytesTotal }: Readonly<Record<string, unknown>>): StatusUpdate =>
  statusOf({ file: String(file), bytesDone: Number(bytesDone), bytesTotal: Number(bytesTotal) });

const statusOf = ({ file, bytesDone, bytesTotal }: FetchProgress): StatusUpdate => ({
  label: "Fetching",
  done: bytesDone,
  total: bytesTotal,
  detail: `${byteSize(bytesDone)} of ${byteSize(bytesTotal)}  ${file}`,
});
