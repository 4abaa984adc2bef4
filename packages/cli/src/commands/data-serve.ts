import { once } from "node:events";
import type { DatasetServer } from "@gmc/data";
import { serveDataset } from "@gmc/data";
import { Command } from "commander";
import type { Context } from "../context.ts";
import { refuseOverrides } from "../context.ts";
import { integer } from "../options.ts";
import { byteSize } from "../text-table.ts";

interface ServeOptions {
  readonly host: string;
  readonly port: number;
}

/** `gmc data serve DIR`: a data set for other machines, until Ctrl-C. */
export const dataServeCommand = (context: Context): Command =>
  new Command("serve")
    .description("Serve a data set over HTTP, for runs and workers that name it by URL; Ctrl-C ends it.")
    .argument("<dir>", "the data set's folder")
    .option(
      "--host <address>",
      "address to listen on; 0.0.0.0 lets every machine that reaches this one read",
      "127.0.0.1",
    )
    .option("--port <n>", "port to listen on; 0 takes any free one", integer(0), 8765)
    .addHelpText(
      "after",
      "\nExamples:\n  gmc data serve data/digits --host 0.0.0.0\n  gmc train examples/mhd.yaml --data.path http://that-machine:8765/\n",
    )
    .action(async (folder: string, { host, port }: ServeOptions) => {
      refuseOverrides(context, "data serve");
      const { logger, output, signal, status } = context;
      const onProgress = (progress: { file: string; bytesDone: number; bytesTotal: number }) =>
        status.update({
          label: "Checking",
          done: progress.bytesDone,
          total: progress.bytesTotal,
          detail: `${byteSize(progress.bytesDone)} of ${byteSize(progress.bytesTotal)}  ${progress.file}`,
        });
      const server = await serveDataset({ folder, host, port, signal, logger, onProgress });
      try {
        status.end();
        output.result(documentOf(folder, server), textOf(folder, server));
        if (!signal.aborted) await once(signal, "abort");
      } finally {
        await server.close();
      }
    });

const documentOf = (folder: string, { url, publicUrls, manifest }: DatasetServer) => ({
  folder,
  url: publicUrls[0] ?? url,
  urls: [...publicUrls, url],
  name: manifest.name,
  sha256: manifest.sha256,
});

function textOf(folder: string, { url, publicUrls, manifest }: DatasetServer): string {
  const names = publicUrls.length === 0 ? [url] : publicUrls;
  return [
    `Serving "${manifest.name}" from ${folder} at`,
    ...names.map((name) => `  ${name}`),
    publicUrls.length === 0
      ? "Only this machine can reach it; --host 0.0.0.0 serves others."
      : "Whoever reaches this address can read the data; nobody can change it.",
    "Use it: gmc train CONFIG --data.path URL. Ctrl-C ends it.",
  ].join("\n");
}
