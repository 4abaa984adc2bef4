import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { DataError, UsageError } from "@gmc/core";
import { afterEach, expect, test } from "vitest";
import { openDataset } from "../dataset.ts";
import { temporaryFolder, writeTinyDataset } from "../tiny-dataset.testing.ts";
import { type ServeDatasetOptions, serveDataset } from "./serve-dataset.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(folder: string, more: Partial<ServeDatasetOptions> = {}) {
  const server = await serveDataset({ folder, cache: await temporaryFolder(), ...more });
  closing.push(() => server.close());
  return server;
}

/** The answer's first line to a path exactly as it is written. */
const statusOf = (url: string, path: string, method = "GET") =>
  new Promise<string>((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("close", () => resolve(answer.split("\r\n")[0] ?? ""));
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });

test("only the manifest and the files it names are served", async () => {
  const folder = await writeTinyDataset();
  await writeFile(join(folder, "secret"), "secret");
  await writeFile(join(folder, "..", "secret"), "secret");
  const { url } = await serve(folder);
  for (const path of ["/manifest.json", "/train/pen.npy", "/test/labels.npy", "/"]) {
    expect(await statusOf(url, path)).toBe("HTTP/1.1 200 OK");
  }
  const others = [
    "/secret",
    "/../secret",
    "/%2e%2e/secret",
    "/train/../../secret",
    "/train/",
    "/train",
    "//etc/passwd",
  ];
  for (const path of [...others, "/..%2fsecret", "/%", "/train%2f..%2fsecret"]) {
    expect(await statusOf(url, path)).toBe("HTTP/1.1 404 Not Found");
  }
  for (const method of ["PUT", "POST", "DELETE"]) {
    expect(await statusOf(url, "/manifest.json", method)).toBe("HTTP/1.1 405 Method Not Allowed");
  }
});

test("files have ranges, their sum as tag, and heads", async () => {
  const folder = await writeTinyDataset();
  const { url, manifest } = await serve(folder);
  const entry = manifest.splits.train?.files.pen;
  const file = new URL("train/pen.npy", url);
  const whole = await fetch(file);
  expect(whole.headers.get("etag")).toBe(`"${entry?.sha256}"`);
  const bytes = Buffer.from(await whole.arrayBuffer());
  expect(bytes).toHaveLength(entry?.bytes ?? 0);
  const part = await fetch(file, { headers: { range: "bytes=10-19" } });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 10-19/${entry?.bytes}`]);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
  const head = await fetch(file, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, `${entry?.bytes}`]);
  expect((await fetch(file, { headers: { "if-none-match": `"${entry?.sha256}"` } })).status).toBe(304);
  expect((await fetch(file, { headers: { range: `bytes=${entry?.bytes}-` } })).status).toBe(416);
});

test("what is served stays one state when the folder is replaced or removed", async () => {
  const [folder, other] = [await writeTinyDataset({ train: 50 }), await writeTinyDataset({ train: 60 })];
  const { url, manifest } = await serve(folder);
  await rename(folder, `${folder}-old`);
  await rename(other, folder);
  await rm(`${folder}-old`, { recursive: true });
  const dataset = await openDataset(url, { cache: await temporaryFolder() });
  expect(dataset.sha256).toBe(manifest.sha256);
  expect(dataset.split("train").samples).toBe(50);
  await dataset.close();
});

test("a damaged set is not served, nor one that is none, nor at an address in use", async () => {
  const folder = await writeTinyDataset();
  const { port } = await serve(folder);
  await expect(serve(folder, { port })).rejects.toThrow(/port \d+ of 127\.0\.0\.1 is in use/);
  await expect(serve(folder, { port: 70_000 })).rejects.toThrow(UsageError);
  await expect(serve(folder, { host: "192.0.2.1" })).rejects.toThrow(/address of this machine/);
  await expect(serve(await temporaryFolder())).rejects.toThrow(/is not a data set/);
  const file = join(folder, "test", "image.npy");
  await writeFile(file, Buffer.from(await readFile(file)).fill(1, 120));
  await expect(serve(folder)).rejects.toThrow(DataError);
});

test("it listens on this machine only unless told otherwise", async () => {
  const folder = await writeTinyDataset();
  expect((await serve(folder)).publicUrls).toEqual([]);
  const everywhere = await serve(folder, { host: "0.0.0.0" });
  expect(everywhere.publicUrls.length).toBeGreaterThan(0);
  for (const url of everywhere.publicUrls) expect(url).toMatch(/^http:\/\/[^/]+:\d+\/$/);
});

test("close lets a transfer finish", async () => {
  const folder = await writeTinyDataset({ train: 50_000 });
  const server = await serve(folder);
  const response = await fetch(new URL("train/pen.npy", server.url));
  const closed = server.close();
  expect((await response.arrayBuffer()).byteLength).toBe(server.manifest.splits.train?.files.pen?.bytes);
  await closed;
  await expect(fetch(server.url)).rejects.toThrow();
});
