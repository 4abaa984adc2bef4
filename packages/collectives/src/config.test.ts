import { expect, test } from "vitest";
import { ClusterConfig } from "./config.ts";

test("everything has a default, and an unknown key is refused", () => {
  expect(ClusterConfig.parse({})).toEqual({ wire: "fp32", chunkKiB: 1024, timeoutMs: 60_000, allowMixed: false });
  expect(ClusterConfig.safeParse({ wire: "fp16" }).success).toBe(false);
  expect(ClusterConfig.safeParse({ chunk: 1 }).success).toBe(false);
});
