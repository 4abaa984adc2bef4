import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { FileStore } from "./file-store.ts";
import { openFolderStore } from "./folder-store.ts";
import { mirrorFiles } from "./mirror.ts";
import { openRemoteStore } from "./remote-store.ts";
import { serveRuns } from "./serve-runs.ts";
import { pullRun, pushRun } from "./transfer-run.ts";

/** Calls of the file system until everything "dies": from then on every one fails and does nothing. */
const power = vi.hoisted(() => ({ callsLeft: Number.POSITIVE_INFINITY }));

vi.mock("node:fs/promises", async (original) => {
  const { mortalFiles } = await import("@gmc/testkit");
  return mortalFiles(await original<typeof import("node:fs/promises")>(), power);
});

const TOKEN = "a token of some length";
let folder: string;
let close: () => Promise<void>;
let url: string;
const root = () => join(folder, "root");
const options = () => ({ token: TOKEN, cache: join(folder, "cache"), transfer: { attempts: 1, backoffMs: 1 } });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gmc-transfer-crash-"));
  const server = await serveRuns({ root: root(), token: TOKEN, cache: join(folder, "server-cache") });
  ({ close, url } = server);
  await writeRun(join(folder, "older"), { last: 3, best: 2 });
  await writeRun(join(folder, "newer"), { last: 5, best: 4 });
  await writeRun(join(folder, "same"), { last: 5, best: 4 }, "with other weights");
  await writeRun(join(folder, "plain"), { last: 6 });
});
afterAll(async () => {
  power.callsLeft = Number.POSITIVE_INFINITY;
  await close();
  await rm(folder, { recursive: true, force: true });
});

const tensorsOf = (step: number, salt: string) => Buffer.from(`${salt} ${step} `.repeat(300));
const sumOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A run's folder with pointers to the tensors of some steps. */
async function writeRun(run: string, pointers: Readonly<Record<string, number>>, salt = "weights"): Promise<void> {
  const put = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(run, path)), { recursive: true });
    await writeFile(join(run, path), content);
  };
  for (const [kind, step] of Object.entries(pointers)) {
    const tensors = tensorsOf(step, salt);
    await put(`checkpoints/step-${step}.safetensors`, tensors);
    const pointer = { file: `step-${step}.safetensors`, sha256: sumOf(tensors) };
    await put(`checkpoints/${kind}.json`, JSON.stringify(pointer));
  }
  const lines = Math.max(...Object.values(pointers));
  await put("config.yaml", "seed: 1\n");
  await put("environment.json", "{}");
  await put("metrics.jsonl", Array.from({ length: lines }, (_, i) => `{"step":${i + 1}}\n`).join(""));
  await put("run.json", JSON.stringify({ steps: lines }));
}

/** The checkpoints that a reader finds, as "last=step-3 best=step-2"; every pointer must have its whole file. */
function readable(run: string): string {
  const found = ["last", "best"].flatMap((kind) => {
    const pointer = join(run, "checkpoints", `${kind}.json`);
    if (!existsSync(pointer)) return [];
    const { file, sha256 } = JSON.parse(readFileSync(pointer, "utf8")) as Record<string, string>;
    expect(sumOf(readFileSync(join(run, "checkpoints", file ?? "")))).toBe(sha256);
    return [`${kind}=${file?.replace(".safetensors", "")}`];
  });
  return found.join(" ");
}

const contentOf = (run: string) =>
  readdirSync(run, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [path.slice(run.length), readFileSync(path, "base64")]);

/** What the transfer starts from and goes to: from no run, an older state, other weights of the same steps, more pointers. */
const CASES = [
  ["nothing", "newer"],
  ["older", "newer"],
  ["same", "newer"],
  ["older", "plain"],
] as const;

/** Lays the target's state; the name is new each time, so that nobody knows its sums. */
async function targetWith(before: string, target: string): Promise<string> {
  if (before !== "nothing") await cp(join(folder, before), target, { recursive: true });
  return target;
}

/** Counts what a whole transfer takes, then ends it after each number of calls less than that. */
async function killAtEach(
  name: string,
  [before, after]: readonly [string, string],
  transfer: (target: string) => Promise<unknown>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  power.callsLeft = 1e6;
  await transfer(await targetWith(before, join(root(), `${name}-whole`)));
  const calls = 1e6 - power.callsLeft;
  power.callsLeft = Number.POSITIVE_INFINITY;
  expect(calls).toBeGreaterThan(10);
  for (let left = 0; left < calls; left++) {
    const target = await targetWith(before, join(root(), `${name}-${left}`));
    power.callsLeft = left;
    await transfer(target).catch(() => {}); // a death in a cache is none of the transfer
    power.callsLeft = Number.POSITIVE_INFINITY;
    seen.add(readable(target));
    await transfer(target);
    expect(contentOf(target)).toEqual(contentOf(join(folder, after)));
  }
  return seen;
}

describe("killed before any of its file operations, here and on the server,", () => {
  test.each([CASES[0], CASES[2], CASES[3]])(
    "a push from %s to %s leaves whole checkpoints or none, and the next one goes on",
    async (before, after) => {
      const push = (target: string) => pushRun(join(folder, after), url, target.slice(root().length + 1), options());
      const seen = await killAtEach(`push-${before}-${after}`, [before, after], push);
      expect([...seen]).toEqual(expectedStates(before, after));
    },
  );

  test.each([CASES[0], CASES[3]])("a pull from %s to %s does the same", async (before, after) => {
    await cp(join(folder, after), join(root(), "source", after), { recursive: true });
    const pull = (target: string) => pullRun(url, `source/${after}`, target, options());
    const seen = await killAtEach(`pull-${before}-${after}`, [before, after], pull);
    expect([...seen]).toEqual(expectedStates(before, after));
  });
});

/** What readers see, in this order: old, between, new. */
function expectedStates(before: string, after: string): string[] {
  if (after === "plain") return ["last=step-3 best=step-2", "last=step-6 best=step-2", "last=step-6"];
  if (before === "nothing") return ["", "best=step-4", "last=step-5 best=step-4"];
  if (before === "same") return ["last=step-5 best=step-4", "last=step-5", "", "best=step-4"];
  return ["last=step-3 best=step-2", "last=step-3 best=step-4", "last=step-5 best=step-4"];
}

describe("killed at any of its requests,", () => {
  /** Dies before the n-th request, in the middle of what it sends, or before it hears the answer. */
  function mortal(store: FileStore, requests: number, moment: "before" | "within" | "after"): FileStore {
    let left = requests;
    const asked = async <T>(work: () => Promise<T>): Promise<T> => {
      if (left <= 0 && moment !== "after") throw new Error("killed");
      left--;
      const result = await work();
      if (left < 0) throw new Error("killed");
      return result;
    };
    return {
      list: () => asked(() => store.list()),
      read: (file) => store.read(file),
      remove: (path) => asked(() => store.remove(path)),
      put: async (file, content) => {
        if (left > 0 || moment !== "within") return asked(() => store.put(file, content));
        left--;
        return store.put(file, cut(content));
      },
    };
  }

  async function* cut(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) yield chunk.subarray(0, Math.floor(chunk.byteLength / 2));
    throw new Error("killed");
  }

  test.each(["before", "within", "after"] as const)(
    "%s it, a push leaves whole checkpoints or none",
    async (moment) => {
      for (const [before, after] of CASES) {
        const seen = new Set<string>();
        for (let requests = 0, ended = false; !ended; requests++) {
          const run = `request-${moment}-${before}-${after}-${requests}`;
          await targetWith(before, join(root(), run));
          const source = openFolderStore(join(folder, after), { cache: join(folder, "cache") });
          const target = openRemoteStore(url, run, options());
          ended = await mirrorFiles(source, mortal(target, requests, moment), { attempts: 1 }).then(
            () => true,
            () => false,
          );
          seen.add(readable(join(root(), run)));
          await mirrorFiles(source, target);
          expect(contentOf(join(root(), run))).toEqual(contentOf(join(folder, after)));
        }
        expect([...seen]).toEqual(expectedStates(before, after));
      }
    },
  );
});
