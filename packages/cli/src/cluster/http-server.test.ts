import { silentLogger } from "@gmc/core";
import { expect, onTestFinished, test } from "vitest";
import type { HttpHandler } from "./http-server.ts";
import { parseHttpAddress, serveHandlers } from "./http-server.ts";

test.each([
  ["8766", "127.0.0.1", 8766],
  [":8766", "127.0.0.1", 8766],
  ["0.0.0.0:80", "0.0.0.0", 80],
  ["[::1]:8766", "::1", 8766],
  ["alpha.example:0", "alpha.example", 0],
])("%s is host %s, port %d", (text, host, port) => {
  expect(parseHttpAddress(text)).toEqual({ host, port });
});

test.each(["alpha", "alpha:", "1:70000", ""])("%j is no address", (text) => {
  expect(() => parseHttpAddress(text)).toThrow(/HOST:PORT/);
});

test("the first handler that knows a path answers, nobody's path is not found", async () => {
  const only =
    (path: string, text: string): HttpHandler =>
    (request, response) => {
      if (request.url !== path) return false;
      response.end(text);
      return true;
    };
  const server = await serveHandlers({ host: "127.0.0.1", port: 0 }, [only("/a", "a"), only("/b", "b")], silentLogger);
  onTestFinished(() => server.close());
  expect(await (await fetch(new URL("b", server.url))).text()).toBe("b");
  expect((await fetch(new URL("c", server.url))).status).toBe(404);
});
