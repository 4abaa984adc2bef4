import { UsageError } from "@gmc/core";
import { Option } from "commander";

/** `--store URL`, or GMC_RUN_STORE: where runs are kept by workers that share no folder. */
export const storeOption = (): Option =>
  new Option(
    "--store <url>",
    "keep runs at a coordinator's --runs, http://HOST:PORT/runs/; its token in GMC_RUN_STORE_TOKEN",
  ).env("GMC_RUN_STORE");

/** The token of the run store: from the environment, as no list of processes shows it. @throws {UsageError} without one */
export function neededToken(): string {
  const token = process.env.GMC_RUN_STORE_TOKEN;
  if (token) return token;
  throw new UsageError(
    "The run store needs a token of 16 characters or more in GMC_RUN_STORE_TOKEN, the same for coordinator and workers; for instance from: openssl rand -hex 16",
  );
}
