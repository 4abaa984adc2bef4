import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { join } from "node:path";
import { CancelledError, DataError, EnvironmentError, UsageError } from "@gmc/core";
import { type HttpServer, listenHttp } from "@gmc/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { datasetExists, openDataset, readManifest } from "../dataset.ts";
import { inspectDataset } from "../inspect.ts";
import { temporaryFolder, tinyInputs, writeTinyDataset } from "../tiny-dataset.testing.ts";
import { trainBatches } from "../train-batches.ts";
import { verifyDataset } from "../verify.ts";
import type { DataAccess } from "./data-access.ts";
import { serveDataset } from "./serve-dataset.ts";

let cache: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  cache = await temporaryFolder();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Quick about failures, and in pieces of an odd size. */
const access = (more: Partial<DataAccess> = {}): DataAccess => ({
  cache,
  transfer: { attempts: 2, backoffMs: 5, idleMs: 1000, pieceBytes: 77 },
  ...more,
});

/** A data set's server that notes what was asked for, as "path range". */
async function serve(folder: string) {
  const asked: string[] = [];
  const logger = {
    info: (_: string, { path, range }: Record<string, unknown> = {}) => asked.push(`${path} ${range ?? "whole"}`),
    warn() {},
  };
  const server = await serveDataset({ folder, logger, cache: await temporaryFolder() });
  closing.push(() => server.close());
  return { ...server, asked };
}

/** Any server, with a data set's files as a plain file server would give them, or otherwise. */
async function serveAs(listener: RequestListener): Promise<HttpServer> {
  const server = await listenHttp(listener);
  closing.push(() => server.close());
  return server;
}

const fileAsked = (folder: string, request: IncomingMessage) => join(folder, decodeURIComponent(request.url ?? ""));

describe("a data set by URL", () => {
  test("gives the samples, batches and sum of the folder that is served", async () => {
    const folder = await writeTinyDataset();
    const { url } = await serve(folder);
    const [local, remote] = [await openDataset(folder), await openDataset(url, access())];
    closing.push(
      () => local.close(),
      () => remote.close(),
    );
    expect(remote.sha256).toBe(local.sha256);
    expect(remote.path).toBe(url);
    for (const split of ["train", "test"]) {
      const rows = Uint32Array.of(3, 0, 10);
      expect(await remote.split(split).read(rows)).toEqual(await local.split(split).read(rows));
    }
    for (const threads of [0, 1]) {
      const [a, b] = await Promise.all(
        [local, remote].map(async (dataset) => {
          const options = { dataset, split: "train", inputs: tinyInputs(4), batchSize: 8, shards: 2, seed: 1, threads };
          const source = trainBatches({ ...options, lastBatch: "drop" });
          const batches = source.batches(5);
          const { value } = await batches.next();
          await source.close();
          return value;
        }),
      );
      expect(a).toBeDefined();
      expect(b).toEqual(a);
    }
    expect(await verifyDataset(remote, undefined, { cache })).toMatchObject({ bytesRead: 0 });
    expect((await inspectDataset(url, access())).sha256).toBe(local.sha256);
  });

  test("is fetched once, in pieces, whoever opens it how often and by which URL", async () => {
    const { url, asked } = await serve(await writeTinyDataset());
    const twice = await Promise.all([openDataset(url, access()), openDataset(`${url}manifest.json`, access())]);
    const pieces = asked.filter((line) => line.endsWith("whole") === false);
    expect(pieces.length).toBeGreaterThan(20);
    expect(new Set(pieces).size).toBe(pieces.length); // no piece twice
    for (const dataset of twice) await dataset.close();
    asked.length = 0;
    await (await openDataset(url.replace(/\/$/, ""), access())).close();
    expect(asked).toEqual(["/manifest.json whole"]);
  });

  test("fetches only the splits that are asked for", async () => {
    const { url, asked } = await serve(await writeTinyDataset());
    const dataset = await openDataset(url, access({ splits: ["test"] }));
    expect(asked.filter((line) => line.includes("train"))).toEqual([]);
    expect(dataset.split("test").samples).toBe(11);
    expect(() => dataset.split("train")).toThrow(/opened for "test" only/);
    await dataset.close();
    await expect(openDataset(url, access({ splits: ["dev"] }))).rejects.toThrow(
      /no split "dev"; it has "train", "test"/,
    );
    expect(existsSync(join(cache, "datasets", dataset.sha256, "manifest.json"))).toBe(false);
    await (await openDataset(url, access())).close();
    const again = await openDataset(join(cache, "datasets", dataset.sha256)); // a data set of its own by now
    expect(again.sha256).toBe(dataset.sha256);
    await again.close();
  });

  test("comes whole from a server without ranges, and one that writes no lengths", async () => {
    const folder = await writeTinyDataset();
    for (const chunked of [false, true]) {
      await rm(cache, { recursive: true });
      const { url } = await serveAs(async (request, response) => {
        const content = await readFile(fileAsked(folder, request));
        if (!chunked) response.setHeader("content-length", content.length);
        response.write(content.subarray(0, 100));
        response.end(content.subarray(100));
      });
      const dataset = await openDataset(url, access());
      expect(await verifyDataset(dataset, undefined, { cache, fresh: true })).toMatchObject({ files: 8 });
      await dataset.close();
    }
  });

  test("goes on without its server once all is here, with a warning, and by its sum only", async () => {
    const { url, close } = await serve(await writeTinyDataset());
    await (await openDataset(url, access())).close();
    await close();
    const warned: string[] = [];
    const logger = { info() {}, warn: (event: string) => warned.push(event) };
    const dataset = await openDataset(url, access({ logger }));
    expect((await dataset.split("train").read(Uint32Array.of(1))).pen).toHaveLength(6);
    await dataset.close();
    expect(warned).toEqual(["data.offline"]);
  });

  test("tells how far it is", async () => {
    const { url } = await serve(await writeTinyDataset());
    const seen: number[] = [];
    const onProgress = ({ bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }) =>
      seen.push(bytesDone / bytesTotal);
    await (await openDataset(url, access({ onProgress }))).close();
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test("a file that was damaged in the cache is fetched again", async () => {
    const folder = await writeTinyDataset();
    const { url, asked } = await serve(folder);
    const { sha256 } = await readManifest(folder);
    await (await openDataset(url, access())).close();
    const file = join(cache, "datasets", sha256, "train", "pen.npy");
    const content = await readFile(file);
    await writeFile(file, Buffer.from(content).fill(7, 200, 300));
    asked.length = 0;
    await (await openDataset(url, access())).close();
    expect(asked.every((line) => line.includes("manifest") || line.includes("pen.npy"))).toBe(true);
    expect(await readFile(file)).toEqual(content);
  });
});

describe("what is wrong is said", () => {
  test("a server that cannot be reached, with its URL and what to do", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const failure = await openDataset(`http://127.0.0.1:${port}/x`, access()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DataError);
    expect(String(failure)).toMatch(/127\.0\.0\.1:\d+\/x\/ cannot be reached.*ECONNREFUSED.*gmc data serve/);
    expect(await datasetExists(`http://127.0.0.1:${port}/`)).toBe(true);
  });

  test("a URL below which no data set lies", async () => {
    const { url } = await serve(await writeTinyDataset());
    await expect(openDataset(`${url}train/`, access())).rejects.toThrow(
      /train\/ is not a data set: it has no manifest/,
    );
    const web = await serveAs((_, response) => response.end("<html>"));
    await expect(openDataset(web.url, access())).rejects.toThrow(/manifest\.json is not JSON/);
  });

  test("a server that refuses, at once and without trying again", async () => {
    let asked = 0;
    const { url } = await serveAs((_, response) => {
      asked++;
      response.writeHead(403).end("no");
    });
    await expect(openDataset(url, access())).rejects.toThrow(/answers 403/);
    expect(asked).toBe(1);
  });

  test("other bytes than the manifest says: file, expected and received sum, and nothing of it is kept", async () => {
    const [folder, other] = [await writeTinyDataset(), await temporaryFolder()];
    await cp(folder, other, { recursive: true });
    const file = join(other, "test", "level.npy");
    const wrong = Buffer.from(await readFile(file)).fill(9, 140);
    await writeFile(file, wrong);
    const manifest = await readManifest(folder);
    const { url } = await serveAs(async (request, response) => response.end(await readFile(fileAsked(other, request))));
    const failure = await openDataset(url, access()).catch((error: unknown) => error as DataError);
    const [expected, received] = [
      manifest.splits.test?.files.level?.sha256,
      createHash("sha256").update(wrong).digest("hex"),
    ];
    expect(failure).toBeInstanceOf(DataError);
    expect(failure).toMatchObject({ details: { url: `${url}test/level.npy`, expected, received } });
    const left = readdirSync(join(cache, "datasets", manifest.sha256, "test"), { recursive: true });
    expect(left.filter((name) => String(name).includes("level"))).toEqual([]);
  });

  test("a data set that is replaced while it is fetched", async () => {
    const [before, after] = [await writeTinyDataset({ train: 50 }), await writeTinyDataset({ train: 60 })];
    let current = before;
    const { url } = await serveAs(async (request, response) => {
      response.end(await readFile(fileAsked(current, request)));
      current = after;
    });
    await expect(openDataset(url, access())).rejects.toThrow(/was replaced while it was fetched/);
    const dataset = await openDataset(url, access());
    expect(dataset.split("train").samples).toBe(60);
    await dataset.close();
  });

  test("a manifest that names a file elsewhere", async () => {
    const folder = await writeTinyDataset();
    const text = await readFile(join(folder, "manifest.json"), "utf8");
    for (const path of ["train/..\\\\..\\\\x.npy", ".ssh/x.npy", "manifest.json", "c:x.npy"]) {
      const manifest = JSON.parse(text) as { sha256: string };
      const { sha256: _, ...rest } = JSON.parse(text.replace("train/pen.npy", path)) as Record<string, unknown>;
      const { manifestSha256 } = await import("../manifest.ts");
      manifest.sha256 = manifestSha256(rest as never);
      const body = JSON.stringify({ ...rest, sha256: manifest.sha256 });
      const { url } = await serveAs((_, response) => response.end(body));
      await expect(openDataset(url, access())).rejects.toThrow(/no plain path inside/);
    }
  });

  test.each([["http://user:secret@127.0.0.1/"], ["http://127.0.0.1/?a=b"], ["http://:x"]])("%s", async (path) => {
    const failure = await openDataset(path, access()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect(String(failure)).not.toContain("secret");
  });

  test("a cache folder that cannot be written, with the way to another one", async () => {
    const { url } = await serve(await writeTinyDataset());
    const file = join(cache, "file");
    await writeFile(file, "");
    const failure = await openDataset(url, access({ cache: join(file, "below") })).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EnvironmentError);
    expect(String(failure)).toMatch(/cache folder .*file\/below cannot take the data set.*GMC_CACHE/);
  });

  test("a signal ends the fetch, and the next call goes on from there", async () => {
    const { url, asked } = await serve(await writeTinyDataset());
    const stop = new AbortController();
    const onProgress = ({ bytesDone }: { bytesDone: number }) => bytesDone > 1000 && stop.abort();
    await expect(openDataset(url, access({ signal: stop.signal, onProgress }))).rejects.toThrow(CancelledError);
    const before = asked.filter((line) => !line.endsWith("whole"));
    asked.length = 0;
    await (await openDataset(url, access())).close();
    const after = asked.filter((line) => !line.endsWith("whole"));
    const twice = after.filter((line) => before.includes(line));
    expect(before.length).toBeGreaterThan(5);
    expect(twice.length).toBeLessThanOrEqual(1); // the piece that was under way
  });
});
