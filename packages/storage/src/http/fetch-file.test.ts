import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CancelledError, DataError } from "@gmc/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FetchFileOptions, fetchFile } from "./fetch-file.ts";
import { type HttpServer, listenHttp } from "./listen.ts";

const CONTENT = randomBytes(100_000);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");
const PIECE = 10_000;

let folder: string;
let asked: string[];
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-fetch-"));
  asked = [];
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(listener: RequestListener): Promise<HttpServer> {
  const server = await listenHttp((request, response) => {
    asked.push(request.headers.range ?? "whole");
    listener(request, response);
  });
  closing.push(() => server.close());
  return server;
}

const options = (url: string, more: Partial<FetchFileOptions> = {}): FetchFileOptions => ({
  url: new URL("file.npy", url),
  target: join(folder, "set", "file.npy"),
  cache: join(folder, "cache"),
  bytes: CONTENT.length,
  sha256: SHA256,
  pieceBytes: PIECE,
  attempts: 3,
  backoffMs: 5,
  idleMs: 300,
  ...more,
});

/** Answers a range of the content; `bytes` of it, then the connection is cut. */
function sendRange(request: IncomingMessage, response: ServerResponse, bytes = Number.POSITIVE_INFINITY): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const part = CONTENT.subarray(Number(first), Number(last) + 1);
  response.writeHead(206, {
    "content-range": `bytes ${first}-${last}/${CONTENT.length}`,
    "content-length": part.length,
  });
  if (bytes >= part.length) response.end(part);
  else response.write(part.subarray(0, bytes), () => response.destroy());
}

const target = () => join(folder, "set", "file.npy");
const files = () => readdirSync(join(folder, "set"));

describe("a file comes whole although", () => {
  test("the server cuts every connection after a part of a piece: nothing comes twice", async () => {
    const { url } = await serve((request, response) => sendRange(request, response, 3000));
    expect(await fetchFile(options(url))).toBe(true);
    expect(await readFile(target())).toEqual(CONTENT);
    expect(asked.length).toBe(Math.ceil(CONTENT.length / 3000));
    expect(files()).toEqual(["file.npy"]);
  });

  test("the server has no ranges and cuts the first answers", async () => {
    const { url } = await serve((_, response) => {
      response.setHeader("content-length", CONTENT.length);
      if (asked.length > 2) response.end(CONTENT);
      else response.write(CONTENT.subarray(0, 50_000), () => response.destroy());
    });
    await fetchFile(options(url));
    expect(await readFile(target())).toEqual(CONTENT);
    expect(asked).toHaveLength(3);
  });

  test("the server is overloaded twice and falls silent once", async () => {
    const { url } = await serve((request, response) => {
      if (asked.length === 1) response.writeHead(503, { "retry-after": "0" }).end();
      else if (asked.length === 2) response.writeHead(429).end();
      else if (asked.length === 5)
        return; // no answer at all
      else sendRange(request, response);
    });
    await fetchFile(options(url));
    expect(await readFile(target())).toEqual(CONTENT);
    expect(asked).toHaveLength(13);
  });

  test("it moved", async () => {
    const { url } = await serve((request, response) => {
      if (request.url === "/file.npy") response.writeHead(302, { location: "/elsewhere" }).end();
      else sendRange(request, response);
    });
    await fetchFile(options(url));
    expect(await readFile(target())).toEqual(CONTENT);
  });

  test("a part of something else lies there", async () => {
    const { url } = await serve(sendRange);
    await mkdir(join(folder, "set"));
    await writeFile(join(folder, "set", ".file.npy.gmc-part-0123"), randomBytes(25_000));
    await fetchFile(options(url));
    expect(await readFile(target())).toEqual(CONTENT);
    expect(files()).toEqual(["file.npy"]);
  });
});

describe("a fetch gives up", () => {
  test("when three tries in a row get no byte", async () => {
    const { url } = await serve((_, response) => response.writeHead(500).end());
    await expect(fetchFile(options(url))).rejects.toThrow(/file\.npy cannot be fetched: it answers 500/);
    expect(asked).toHaveLength(3);
    expect(existsSync(target())).toBe(false);
  });

  test("when a server never answers", async () => {
    const { url } = await serve(() => {});
    const began = performance.now();
    await expect(fetchFile(options(url, { idleMs: 100 }))).rejects.toThrow(/no byte for 100 ms/);
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test.each([
    ["shorter", { bytes: CONTENT.length + 1 }, /the size should be 100001, received 100000/],
    ["longer", { bytes: CONTENT.length - 1 }, /the size should be 99999, received 100000/],
    ["another", { sha256: "0".repeat(64) }, /the sha256 should be 0+, received [0-9a-f]{64}/],
  ])("when the file is %s one, and keeps nothing of it", async (_, wrong, message) => {
    const { url } = await serve(sendRange);
    const failure = await fetchFile(options(url, wrong)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DataError);
    expect(String(failure)).toMatch(message);
    if ("sha256" in wrong) expect(files()).toEqual([]);
    expect(existsSync(target())).toBe(false);
  });

  test("when its signal fires, also while it waits for another process", async () => {
    const { url } = await serve(() => {});
    const first = new AbortController();
    const waiting = new AbortController();
    const both = [first, waiting].map(({ signal }) => fetchFile(options(url, { signal, idleMs: 20_000 })));
    const ends = Promise.allSettled(both);
    await wait(150);
    waiting.abort();
    first.abort();
    for (const end of await ends) expect(end).toMatchObject({ status: "rejected", reason: expect.any(CancelledError) });
  });
});

describe("processes that want the same file", () => {
  /** Fetches in a process of its own, which prints "done true" or "done false". */
  function fetchInChild(url: string, more: Partial<FetchFileOptions> = {}): ChildProcess & { ended: Promise<string> } {
    const { url: whole, ...rest } = options(url, { idleMs: 20_000, ...more });
    const code = `import { fetchFile } from ${JSON.stringify(new URL("./fetch-file.ts", import.meta.url).href)};
      const done = await fetchFile({ ...${JSON.stringify(rest)}, url: new URL(${JSON.stringify(whole.href)}) });
      console.log("done " + done);`;
    const args = ["--import", "tsx", "--conditions=@gmc/source", "--input-type=module", "--eval", code];
    const cwd = fileURLToPath(new URL("../../../../", import.meta.url));
    const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        text += chunk;
      });
    }
    const ended = new Promise<string>((resolve) => child.once("close", (_, signal) => resolve(signal ?? text.trim())));
    closing.push(async () => child.kill("SIGKILL"));
    return Object.assign(child, { ended });
  }

  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 1000 && !condition(); i++) await wait(10);
    expect(condition()).toBe(true);
  };

  test("fetch it once", async () => {
    const { url } = await serve(sendRange);
    const ends = await Promise.all([1, 2, 3].map(() => fetchInChild(url).ended));
    expect(ends.sort()).toEqual(["done false", "done false", "done true"]);
    expect(asked).toHaveLength(CONTENT.length / PIECE);
  });

  test("go on where one was killed", async () => {
    let hold = true;
    const { url } = await serve((request, response) => {
      if (hold && asked.length > 5) sendRange(request, response, 2000);
      else sendRange(request, response);
    });
    const child = fetchInChild(url, { attempts: 1e9, backoffMs: 5000 });
    await until(() => asked.length >= 6);
    await wait(100);
    child.kill("SIGKILL");
    expect(await child.ended).toBe("SIGKILL");
    hold = false;
    const before = asked.length;
    await fetchFile(options(url));
    expect(await readFile(target())).toEqual(CONTENT);
    expect(asked[before]).toBe(`bytes=52000-${52_000 + PIECE - 1}`);
    expect(files()).toEqual(["file.npy"]);
  });

  test("replace one that sleeps, which does no harm when it wakes up", async () => {
    let slow = true;
    const { url } = await serve(async (request, response) => {
      if (slow && asked.length === 4) await wait(1500);
      sendRange(request, response);
    });
    const child = fetchInChild(url);
    await until(() => asked.length >= 4);
    child.kill("SIGSTOP");
    slow = false;
    const began = performance.now();
    await fetchFile(options(url, { silentMs: 500 }));
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await readFile(target())).toEqual(CONTENT);
    const inode = statSync(target()).ino;
    child.kill("SIGCONT");
    expect(await child.ended).toBe("done false");
    expect(await readFile(target())).toEqual(CONTENT);
    expect(statSync(target()).ino).toBe(inode);
    expect(files()).toEqual(["file.npy"]);
  });
});
