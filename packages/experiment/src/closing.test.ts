import { expect, test } from "vitest";
import { opening } from "./closing.ts";

const resource = (name: string, closed: string[]) => ({ close: () => void closed.push(name) });

test("what was opened is closed in the opposite order when opening the next one fails", async () => {
  const closed: string[] = [];
  const failing = opening(async (closing) => {
    closing.add(resource("data", closed));
    closing.add(resource("replica", closed));
    throw new Error("no batch");
  });
  await expect(failing).rejects.toThrow("no batch");
  expect(closed).toEqual(["replica", "data"]);
});

test("a close that fails does not keep the others open, and is told", async () => {
  const closed: string[] = [];
  const closing = await opening(async (all) => {
    all.add(resource("data", closed));
    all.add({ close: () => Promise.reject(new Error("stuck")) });
    return all;
  });
  await expect(closing.close()).rejects.toThrow("stuck");
  expect(closed).toEqual(["data"]);
});
