import { expect, test } from "vitest";
import { isLoopback } from "./loopback.ts";

test.each([
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["localhost", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["*", false],
  ["10.0.0.1", false],
  ["127.example.org", false],
])("%s is reached from this machine alone: %s", (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback);
});
