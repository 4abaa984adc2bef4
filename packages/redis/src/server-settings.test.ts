import { expect, test } from "vitest";
import { formatSettings, isLoopback, settingsOf } from "./server-settings.ts";

test("a control server keeps an append-only file, a reduce server nothing; neither drops keys", () => {
  const common = { dir: "/d", place: { path: "/d/s" } } as const;
  expect(settingsOf({ ...common, role: "control" })).toMatchObject({
    appendonly: "yes",
    "maxmemory-policy": "noeviction",
  });
  expect(settingsOf({ ...common, role: "reduce" })).toMatchObject({ appendonly: "no", save: "" });
});

test("what would end a word or a line in redis.conf is escaped", () => {
  expect(formatSettings({ requirepass: 'a"b\\c\nd é', save: ["1", "2"] })).toBe(
    'requirepass "a\\x22b\\x5cc\\x0ad é"\nsave "1" "2"\n',
  );
});

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
