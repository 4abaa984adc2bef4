import { ConfigError } from "@gmc/core";
import { expect, test } from "vitest";
import { describeAddress, parseRedisUrl } from "./address.ts";

test.each([
  ["redis://cache", { at: { host: "cache", port: 6379 }, db: 0 }, "redis://cache:6379"],
  ["redis://:p%40ss@h:7000/3", { at: { host: "h", port: 7000 }, password: "p@ss", db: 3 }, "redis://h:7000/3"],
  ["redis://[::1]:7000", { at: { host: "::1", port: 7000 }, db: 0 }, "redis://::1:7000"],
  [
    "rediss://gmc:secret@h",
    { at: { host: "h", port: 6379 }, tls: {}, username: "gmc", password: "secret", db: 0 },
    "rediss://gmc@h:6379",
  ],
  ["unix:///run/r.sock?db=2", { at: { path: "/run/r.sock" }, db: 2 }, "unix:///run/r.sock?db=2"],
  [
    "unix://:secret@localhost/run/r.sock",
    { at: { path: "/run/r.sock" }, password: "secret", db: 0 },
    "unix:///run/r.sock",
  ],
])("%s is read, and described without its password", (url, address, description) => {
  expect(parseRedisUrl(url)).toEqual(address);
  expect(describeAddress(parseRedisUrl(url))).toBe(description);
});

test.each([
  "localhost:6379",
  "",
  "http://h",
  "unix://run/r.sock",
  "redis://:secret@h/one",
  "rediss://h?ca=/no/such/file",
])("%j is refused, and the password is not repeated", (url) => {
  const failure = () => parseRedisUrl(url);
  expect(failure).toThrow(ConfigError);
  expect(failure).not.toThrow(/secret/);
});
