import { EnvironmentError } from "@gmc/core";
import { expect, test } from "vitest";
import type { ServerInfo } from "./server-info.ts";
import { checkServer, readServerInfo } from "./server-info.ts";

const good: ServerInfo = {
  version: "7.0.15",
  runId: "ab",
  mode: "standalone",
  role: "master",
  maxmemoryPolicy: "noeviction",
  appendOnly: true,
};

test("INFO's sections are read, values with colons in them too", async () => {
  const sections: Readonly<Record<string, string>> = {
    server: "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:f00\r\nexecutable:/a:b\r\n",
    memory: "# Memory\r\nmaxmemory_policy:allkeys-lru\r\n",
    replication: "# Replication\r\nrole:slave\r\n",
    persistence: "# Persistence\r\naof_enabled:1\r\n",
  };
  expect(await readServerInfo(async (section) => sections[section] ?? "")).toEqual({
    version: "7.2.4",
    runId: "f00",
    mode: "standalone",
    role: "slave",
    maxmemoryPolicy: "allkeys-lru",
    appendOnly: true,
  });
});

test.each(["7.0.0", "7.2.4", "8.0.1", "10.0.0"])("version %s is taken", (version) => {
  expect(checkServer({ ...good, version }, "control", "redis://h:1")).toEqual([]);
});

test.each([
  [{ version: "6.2.14" }, /6\.2\.14; 7\.0 or newer/],
  [{ version: "unknown" }, /7\.0 or newer/],
  [{ mode: "cluster" }, /runs as a cluster/],
  [{ role: "slave" }, /replica/],
  [{ maxmemoryPolicy: "volatile-ttl" }, /set maxmemory-policy noeviction/],
])("%j is refused in both roles, naming the server", (change, message) => {
  for (const role of ["control", "reduce"] as const) {
    const check = () => checkServer({ ...good, ...change }, role, "redis://h:1");
    expect(check).toThrow(EnvironmentError);
    expect(check).toThrow(message);
    expect(check).toThrow(/redis:\/\/h:1/);
  }
});
