import { createHash } from "node:crypto";
import { DataError } from "@gmc/core";
import { expect, test } from "vitest";
import type { FileStore, StoredFile } from "./file-store.ts";
import { mirrorFiles } from "./mirror.ts";

const LAST = "checkpoints/last.json";
const step = (n: number) => `checkpoints/step-${n}.safetensors`;

const described = (files: Readonly<Record<string, string>>): ReadonlyMap<string, StoredFile> =>
  new Map(
    Object.entries(files).map(([path, content]) => {
      const sha256 = createHash("sha256").update(content).digest("hex");
      return [path, { path, bytes: content.length, sha256 }];
    }),
  );

/** A source whose n-th list is the n-th of these, the last one for good. */
function changing(...lists: readonly Readonly<Record<string, string>>[]): FileStore {
  let asked = 0;
  return {
    list: async () => described(lists[Math.min(asked++, lists.length - 1)] ?? {}),
    async *read({ path, sha256 }) {
      const content = lists
        .map((list) => list[path])
        .find((text) => text && described({ path: text }).get("path")?.sha256 === sha256);
      yield Buffer.from(content ?? "");
    },
    put: async () => {},
    remove: async () => {},
  };
}

/** Keeps what it gets, and that a pointer never names what is not there. */
function target(files: Record<string, string> = {}): FileStore & { files: Record<string, string> } {
  const check = () => {
    if (files[LAST] !== undefined) expect(Object.keys(files)).toContain(files[LAST]);
  };
  return {
    files,
    list: async () => described(files),
    async *read() {},
    async put({ path }, content) {
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      files[path] = Buffer.concat(parts).toString();
      check();
    },
    async remove(path) {
      delete files[path];
      check();
    },
  };
}

const newer = { [LAST]: step(2), [step(2)]: "two" };

test.each([
  ["a pointer that was read after its tensors were looked for", { [LAST]: step(2), [step(1)]: "one" }],
  ["a pointer that was replaced since", { [LAST]: step(1), [step(1)]: "one" }],
])("%s is not put before what it names", async (_, first) => {
  const to = target();
  await mirrorFiles(changing(first, newer), to);
  expect(to.files).toEqual(newer);
});

test("tensors that a raced list lacks are not removed while their pointer stands", async () => {
  const to = target({ ...newer });
  await mirrorFiles(changing({ [LAST]: step(2), [step(1)]: "one" }, newer), to);
  expect(to.files).toEqual(newer);
});

test("a source that never comes to rest is given up", async () => {
  const lists = Array.from({ length: 60 }, (_, i) => ({ [LAST]: step(i), [step(i)]: `${i}` }));
  await expect(mirrorFiles(changing(...lists), target())).rejects.toThrow(DataError);
});
