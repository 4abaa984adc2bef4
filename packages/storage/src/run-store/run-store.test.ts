import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CancelledError, DataError, EnvironmentError, StaleGenerationError, UsageError } from "@gmc/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeFileAtomic } from "../atomic.ts";
import type { HttpServer } from "../http/listen.ts";
import { serveRuns } from "./serve-runs.ts";
import { pullRun, pushRun, type TransferRunOptions } from "./transfer-run.ts";

const TOKEN = "a token of some length";

let folder: string;
let root: string;
let server: HttpServer;
let puts: string[];
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-runs-"));
  root = join(folder, "root");
  await mkdir(root);
  puts = [];
  server = await serve();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(folder, { recursive: true });
});

async function serve(port = 0): Promise<HttpServer> {
  const logger = {
    info: (event: string, { file }: Record<string, unknown> = {}) => puts.push(`${event} ${file}`),
    warn() {},
  };
  const made = await serveRuns({ root, token: TOKEN, port, logger, cache: join(folder, "server-cache") });
  closing.push(() => made.close());
  return made;
}

const options = (more: Partial<TransferRunOptions> = {}): TransferRunOptions => ({
  token: TOKEN,
  cache: join(folder, "cache"),
  transfer: { attempts: 3, backoffMs: 5, idleMs: 2000 },
  ...more,
});

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** A run with one checkpoint. */
async function writeRun(run: string, step = 1): Promise<void> {
  const tensors = randomBytes(3000);
  const sha256 = createHash("sha256").update(tensors).digest("hex");
  await write(join(run, "config.yaml"), "seed: 1\n");
  await write(join(run, "environment.json"), "{}");
  await write(join(run, `checkpoints/step-${step}.safetensors`), tensors);
  await write(join(run, "checkpoints/last.json"), JSON.stringify({ file: `step-${step}.safetensors`, sha256 }));
  await write(join(run, "metrics.jsonl"), '{"step":1}\n');
  await write(join(run, "run.json"), '{"status":"finished"}');
}

const contentOf = (run: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(run, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(run.length + 1), readFileSync(path, "base64")]),
  );

const ask = (path: string, init: RequestInit = {}) =>
  fetch(new URL(path, server.url), {
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) },
  });

describe("a run that is pushed and pulled", () => {
  test("is the same on all sides, tensors before pointers, metrics and record last", async () => {
    const [here, there] = [join(folder, "here"), join(folder, "there")];
    await writeRun(here);
    expect(await pushRun(here, server.url, "sweep/a", options())).toMatchObject({ files: 6, removed: 0 });
    expect(puts.map((line) => line.split(" ")[1])).toEqual([
      "checkpoints/step-1.safetensors",
      "checkpoints/last.json",
      "environment.json",
      "config.yaml",
      "metrics.jsonl",
      "run.json",
    ]);
    expect(contentOf(join(root, "sweep", "a"))).toEqual(contentOf(here));
    expect(await pullRun(server.url, "sweep/a", there, options())).toMatchObject({ files: 6 });
    expect(contentOf(there)).toEqual(contentOf(here));
  });

  test("transfers only what changed, and removes old checkpoints at the end", async () => {
    const [here, there] = [join(folder, "here"), join(folder, "there")];
    await writeRun(here);
    await pushRun(here, server.url, "a", options());
    await pullRun(server.url, "a", there, options());
    expect(await pushRun(here, server.url, "a", options())).toEqual({ files: 0, bytes: 0, removed: 0 });
    await rm(join(here, "checkpoints"), { recursive: true });
    await rm(join(here, "run.json"));
    const { readdirSync: list } = await import("node:fs");
    await writeRun(here, 2);
    await appendFile(join(here, "metrics.jsonl"), '{"step":2}\n');
    await write(join(there, "reports", "page.html"), "made there");
    puts.length = 0;
    expect(await pushRun(here, server.url, "a", options())).toMatchObject({ files: 3, removed: 1 });
    expect(puts).toEqual([
      "runs.put checkpoints/step-2.safetensors",
      "runs.put checkpoints/last.json",
      "runs.put metrics.jsonl",
      "runs.removed checkpoints/step-1.safetensors",
    ]);
    expect(await pullRun(server.url, "a", there, options())).toMatchObject({ files: 3, removed: 1 });
    expect(list(join(there, "checkpoints"))).toEqual(["last.json", "step-2.safetensors"]);
    expect(existsSync(join(there, "reports", "page.html"))).toBe(true);
  });

  test("from nothing changes nothing on the other side", async () => {
    const here = join(folder, "here");
    await writeRun(here);
    await pushRun(here, server.url, "a", options());
    const before = contentOf(here);
    const nothing = { files: 0, bytes: 0, removed: 0 };
    expect(await pushRun(join(folder, "nowhere"), server.url, "a", options())).toEqual(nothing);
    expect(await pullRun(server.url, "b", here, options())).toEqual(nothing);
    await mkdir(join(folder, "new", "checkpoints"), { recursive: true });
    await write(join(folder, "new", "checkpoints", "step-9.safetensors"), "no pointer names it");
    expect(await pushRun(join(folder, "new"), server.url, "a", options())).toEqual(nothing);
    expect(contentOf(join(root, "a"))).toEqual(before);
    expect(contentOf(here)).toEqual(before);
  });

  test("takes hidden files and links nowhere", async () => {
    const here = join(folder, "here");
    await writeRun(here);
    await write(join(here, "checkpoints", ".step-7.safetensors.gmc-tmp-12"), "torn");
    await symlink("/etc/hostname", join(here, "link"));
    await pushRun(here, server.url, "a", options());
    expect(Object.keys(contentOf(join(root, "a")))).toHaveLength(6);
  });

  test("survives a server that is restarted in between", async () => {
    const here = join(folder, "here");
    await writeRun(here);
    await server.close();
    const pushed = pushRun(here, server.url, "a", options({ transfer: { attempts: 100, backoffMs: 10 } }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await serve(server.port);
    await pushed;
    expect(contentOf(join(root, "a"))).toEqual(contentOf(here));
  });

  test("a checkpoint of another content under the same name is replaced as a whole", async () => {
    const [here, other] = [join(folder, "here"), join(folder, "other")];
    await writeRun(here);
    await writeRun(other);
    await pushRun(here, server.url, "a", options());
    puts.length = 0;
    await pushRun(other, server.url, "a", options());
    expect(puts.slice(0, 3)).toEqual([
      "runs.removed checkpoints/last.json",
      "runs.put checkpoints/step-1.safetensors",
      "runs.put checkpoints/last.json",
    ]);
    expect(contentOf(join(root, "a"))).toEqual(contentOf(other));
  });

  test("while its checkpoints are written, every state on the other side is whole", async () => {
    const here = join(folder, "here");
    await writeRun(here, 0);
    let stop = false;
    const writing = (async () => {
      for (let step = 1; !stop; step++) {
        const tensors = randomBytes(200_000);
        const sha256 = createHash("sha256").update(tensors).digest("hex");
        const checkpoints = join(here, "checkpoints");
        await writeFileAtomic(join(checkpoints, `step-${step}.safetensors`), tensors);
        await writeFileAtomic(
          join(checkpoints, "last.json"),
          JSON.stringify({ file: `step-${step}.safetensors`, sha256 }),
        );
        await rm(join(checkpoints, `step-${step - 1}.safetensors`));
        await appendFile(join(here, "metrics.jsonl"), `{"step":${step}}\n`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    const seen = new Set<string>();
    for (const began = Date.now(); seen.size < 6 && Date.now() - began < 10_000; ) {
      await pushRun(here, server.url, "a", options()).catch((error: unknown) => {
        if (!(error instanceof DataError)) throw error; // changes too fast: allowed to give up, not to break
      });
      seen.add(wholeCheckpoint(join(root, "a")));
    }
    stop = true;
    await writing;
    expect(seen.size).toBe(6);
  });
});

/** File that the pointer names, once it is there with its sum. */
function wholeCheckpoint(run: string): string {
  const { file, sha256 } = JSON.parse(readFileSync(join(run, "checkpoints", "last.json"), "utf8")) as Record<
    string,
    string
  >;
  const tensors = readFileSync(join(run, "checkpoints", file ?? ""));
  expect(createHash("sha256").update(tensors).digest("hex")).toBe(sha256);
  return file ?? "";
}

const of = (number: number, owner = "job 1/a") => ({ owner, number });

describe("generations", () => {
  test("one that was overtaken is refused, whatever it does, also after the server was restarted", async () => {
    const [here, old] = [join(folder, "here"), join(folder, "old")];
    await writeRun(old, 1);
    await pushRun(old, server.url, "a", options({ fence: of(3) }));
    await pullRun(server.url, "a", here, options({ fence: of(4) }));
    await writeRun(here, 2);
    await pushRun(here, server.url, "a", options({ fence: of(4) }));
    const before = contentOf(join(root, "a"));
    await writeRun(old, 3);
    await expect(pushRun(old, server.url, "a", options({ fence: of(3) }))).rejects.toThrow(StaleGenerationError);
    await server.close();
    server = await serve();
    await expect(pushRun(old, server.url, "a", options({ fence: of(3) }))).rejects.toThrow(
      /Generation 3 of job.* is over \(4 of job/,
    );
    expect(contentOf(join(root, "a"))).toEqual(before);
    expect(await pullRun(server.url, "a", join(folder, "reader"), options())).toMatchObject({ removed: 0 });
  });

  test("another training of the run takes it over by pulling it, and not by pushing", async () => {
    const here = join(folder, "here");
    await writeRun(here, 1);
    await pushRun(here, server.url, "a", options({ fence: of(7) }));
    await expect(pushRun(here, server.url, "a", options({ fence: of(9, "job 2") }))).rejects.toThrow(
      StaleGenerationError,
    );
    await pullRun(server.url, "a", join(folder, "there"), options({ fence: of(1, "job 2") }));
    await pushRun(here, server.url, "a", options({ fence: of(1, "job 2") }));
    await expect(pushRun(here, server.url, "a", options({ fence: of(8) }))).rejects.toThrow(/1 of job%202 is open/);
    expect((await ask("a/", { headers: { "gmc-fence": "nonsense" } })).status).toBe(400);
  });

  test("one that is overtaken while its file comes in does not get it in place", async () => {
    const content = randomBytes(1000);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.write(
      `PUT /runs/a/checkpoints/last.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\ngmc-fence: 1 of job\r\ngmc-sha256: ${sha256}\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n`,
    );
    socket.write(content.subarray(0, 500));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await ask("a/", { headers: { "gmc-fence": "2 of job" } });
    socket.write(content.subarray(500));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 409/);
    expect(existsSync(join(root, "a", "checkpoints", "last.json"))).toBe(false);
  });
});

describe("the server", () => {
  test("wants its token, and a real one", async () => {
    const here = join(folder, "here");
    await writeRun(here);
    const wrong = options({ token: "another token of some length" });
    await expect(pushRun(here, server.url, "a", wrong)).rejects.toThrow(EnvironmentError);
    await expect(pullRun(server.url, "a", here, wrong)).rejects.toThrow(/refuses the token/);
    expect((await ask("a/", { headers: { authorization: "" } })).status).toBe(401);
    expect(readdirSync(root)).toEqual([]);
    await expect(serveRuns({ root, token: "short" })).rejects.toThrow(UsageError);
  });

  test.each([
    "a/%2e%2e/%2e%2e/secret",
    "a/..%2f..%2fsecret",
    "%2e%2e/secret",
    "..%2f/secret",
    "a/.gmc-fence.json",
    "a/b%5c..%5csecret",
    "a//secret",
    "a/%00",
    "/etc/hostname",
    "a",
    "%2fetc/hostname",
  ])("refuses %s", async (path) => {
    await write(join(folder, "secret"), "secret");
    await write(join(root, "secret"), "secret");
    const { hostname, port } = new URL(server.url);
    for (const method of ["GET", "PUT", "DELETE"]) {
      const text = await new Promise<string>((resolve) => {
        const socket = connect(Number(port), hostname);
        let answer = "";
        socket.on("data", (chunk) => {
          answer += chunk;
        });
        socket.on("close", () => resolve(answer));
        socket.write(
          `${method} /runs/${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 0\r\ngmc-sha256: ${createHash("sha256").digest("hex")}\r\nConnection: close\r\n\r\n`,
        );
      });
      expect(text).toMatch(/^HTTP\/1\.1 400/);
    }
    expect(await readFile(join(folder, "secret"), "utf8")).toBe("secret");
    expect(await readFile(join(root, "secret"), "utf8")).toBe("secret");
  });

  test("follows no link out of its folder", async () => {
    await write(join(folder, "outside", "x"), "secret");
    await mkdir(join(root, "a"));
    await symlink(join(folder, "outside"), join(root, "a", "way"));
    await symlink(join(folder, "outside"), join(root, "b"));
    for (const path of ["a/way/x", "b/x", "b/"]) expect((await ask(path)).status).toBe(403);
    const sum = createHash("sha256").update("new").digest("hex");
    const put = await ask("a/way/x", { method: "PUT", body: "new", headers: { "gmc-sha256": sum } });
    expect(put.status).toBe(403);
    expect(await readFile(join(folder, "outside", "x"), "utf8")).toBe("secret");
  });

  test("takes a file whole with the right sum or not at all", async () => {
    const put = (body: string, headers: Record<string, string>) => ask("a/x", { method: "PUT", body, headers });
    const sum = createHash("sha256").update("right").digest("hex");
    expect((await put("right", { "gmc-sha256": sum })).status).toBe(200);
    const wrong = await put("wrong", { "gmc-sha256": sum });
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining("Nothing was changed")]);
    expect((await put("right", {})).status).toBe(400);
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `PUT /runs/a/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\ngmc-sha256: ${sum}\r\nContent-Length: 5\r\n\r\nrig`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(readdirSync(join(root, "a"))).toEqual(["x"]);
    expect(await readFile(join(root, "a", "x"), "utf8")).toBe("right");
  });

  test("gives ranges, heads and tags", async () => {
    await write(join(root, "a", "x"), "0123456789");
    const etag = `"${createHash("sha256").update("0123456789").digest("hex")}"`;
    const part = await ask("a/x", { headers: { range: "bytes=3-5" } });
    expect([part.status, await part.text(), part.headers.get("content-range")]).toEqual([206, "345", "bytes 3-5/10"]);
    expect(await (await ask("a/x", { headers: { range: "bytes=-2" } })).text()).toBe("89");
    expect((await ask("a/x", { headers: { range: "bytes=10-" } })).status).toBe(416);
    expect(await (await ask("a/x", { headers: { range: "bytes=3-5", "if-range": '"old"' } })).text()).toBe(
      "0123456789",
    );
    expect((await ask("a/x", { headers: { "if-none-match": etag } })).status).toBe(304);
    const head = await ask("a/x", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([200, "10", etag]);
    expect((await ask("a/y")).status).toBe(404);
    expect((await ask("a/x", { method: "POST" })).status).toBe(405);
  });

  test("that is not there is told with its URL; a signal ends the transfer", async () => {
    const here = join(folder, "here");
    await writeRun(here);
    await server.close();
    await expect(pushRun(here, server.url, "a", options())).rejects.toThrow(
      /run store at http.*cannot be used for "a"/,
    );
    const signal = AbortSignal.timeout(50);
    const patient = options({ signal, transfer: { attempts: 1e9, backoffMs: 10 } });
    await expect(pushRun(here, server.url, "a", patient)).rejects.toThrow(CancelledError);
    await expect(pushRun(here, "nonsense", "a", options())).rejects.toThrow(UsageError);
    await expect(pushRun(here, server.url, "../a", options())).rejects.toThrow(UsageError);
  });
});
