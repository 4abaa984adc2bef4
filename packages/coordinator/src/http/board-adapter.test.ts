import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorised } from "./basic-auth.ts";
import { BoardAdapter, renderTemplate } from "./board-adapter.ts";

const asked: unknown[] = [];
const board = new BoardAdapter("/board")
  .setStaticPath("/static", tmpdir())
  .setEntryRoute({ method: "get", route: "/", handler: () => ({ name: "none", params: {} }) })
  .setApiRoutes([
    {
      method: "get",
      route: "/api/queues/:queueName/:jobId",
      spec: { summary: "", response: "job" as never },
      handler: (request) => {
        asked.push(request);
        return { status: 200, body: { ok: true } as never };
      },
    },
    {
      method: "put",
      route: "/api/:all",
      spec: { summary: "", response: "job" as never },
      handler: () => ({ body: "" as never }),
    },
  ]);
const server = createServer((request, response) => {
  if (!authorised(request, response, "se:cret")) return;
  board.handle(request, response, new URL(request.url ?? "/", "http://x")).catch(() => response.destroy());
});
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const as = (password: string) => ({ authorization: `Basic ${Buffer.from(`me:${password}`).toString("base64")}` });

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve())));
afterAll(() => void server.close());

test("a route's parts and the query reach its handler, decoded", async () => {
  const answer = await fetch(`${url()}/board/api/queues/train/a%20b?page=2`, { headers: as("se:cret") });
  expect(await answer.json()).toEqual({ ok: true });
  expect(asked).toMatchObject([{ params: { queueName: "train", jobId: "a b" }, query: { page: "2" }, body: {} }]);
});

test("whatever changes something is refused", async () => {
  for (const method of ["PUT", "POST", "PATCH", "DELETE"]) {
    expect((await fetch(`${url()}/board/api/x`, { method, headers: as("se:cret") })).status).toBe(405);
  }
});

test("nothing is seen without the password", async () => {
  for (const headers of [{}, as(""), as("se"), as("se:cret2"), { authorization: "Bearer se:cret" }]) {
    expect((await fetch(`${url()}/board/api/queues/train/1`, { headers })).status).toBe(401);
  }
});

test("files outside the static folder are not served", async () => {
  for (const path of ["..%2f..%2fetc/passwd", "a/..%2f..%2f..%2fetc/passwd", "%2fetc/passwd", ""]) {
    expect((await fetch(`${url()}/board/static/${path}`, { headers: as("se:cret") })).status).toBe(404);
  }
});

test("a page's values are escaped, its config is not, and nothing is fetched from elsewhere", () => {
  const template =
    '<title><%= title %></title><link href="https://fonts.googleapis.com/x" rel="y"><b><%- config %></b><%=gone%>';
  expect(renderTemplate(template, { title: "<a>", config: '{"a":1}' })).toBe(
    '<title>&#60;a&#62;</title><b>{"a":1}</b>',
  );
});
