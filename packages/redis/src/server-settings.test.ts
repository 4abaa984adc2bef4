import { expect, test } from "vitest";
import { formatSettings, settingsOf } from "./server-settings.ts";

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
