import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardQueues,
  IServerAdapter,
  UIConfig,
} from "@bull-board/api/dist/types.js";
import { sendText } from "@gmc/storage";

/**
 * The BullMQ board over Node's own HTTP server, to look at: what it would change is refused, because jobs of ours are
 * paused, cancelled and retried with their runs in mind, by `gmc`.
 */
export class BoardAdapter implements IServerAdapter {
  readonly #base: string;
  #queues: BullBoardQueues = new Map();
  #views = "";
  #statics = { route: "/static", folder: "" };
  #entry: AppViewRoute | undefined;
  #routes: readonly { readonly pattern: RegExp; readonly route: AppControllerRoute }[] = [];
  #ui: UIConfig = {};

  /** @param base  where it is mounted: "/board" */
  constructor(base: string) {
    this.#base = base;
  }

  setQueues(queues: BullBoardQueues): this {
    this.#queues = queues;
    return this;
  }

  setViewsPath(path: string): this {
    this.#views = path;
    return this;
  }

  setStaticPath(route: string, folder: string): this {
    this.#statics = { route, folder };
    return this;
  }

  setEntryRoute(entry: AppViewRoute): this {
    this.#entry = entry;
    return this;
  }

  /** What goes wrong is answered with 500 here. */
  setErrorHandler(): this {
    return this;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    this.#routes = routes.flatMap((route) => {
      const reads = [route.method].flat().includes("get");
      return reads ? [route.route].flat().map((path) => ({ pattern: patternOf(path), route })) : [];
    });
    return this;
  }

  setUIConfig(config: UIConfig): this {
    this.#ui = config;
    return this;
  }

  /** Answers a request below the base. */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return sendText(response, 405, "The board is to look at; use gmc cancel, pause, resume and retry.\n");
    }
    const path = url.pathname.slice(this.#base.length) || "/";
    if (path.startsWith(`${this.#statics.route}/`)) return this.#sendStatic(response, path);
    for (const { pattern, route } of this.#routes) {
      const params = pattern.exec(path)?.groups;
      if (!pattern.test(path)) continue;
      const query = Object.fromEntries(url.searchParams);
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const decoded = Object.fromEntries(Object.entries(params ?? {}).map(([k, v]) => [k, decodeURIComponent(v)]));
      const asked = { queues: this.#queues, uiConfig: this.#ui, params: decoded, query, body: {}, headers };
      const { status = 200, body } = await route.handler(asked);
      return sendText(response, status, JSON.stringify(body), "application/json");
    }
    return this.#sendPage(response);
  }

  /** The one page, whatever its address: it finds its way itself. */
  async #sendPage(response: ServerResponse): Promise<void> {
    const view = this.#entry?.handler({ basePath: this.#base, uiConfig: this.#ui });
    if (!view) return sendText(response, 404, "There is no board.\n");
    const template = await readFile(join(this.#views, view.name), "utf8");
    sendText(response, 200, renderTemplate(template, view.params), "text/html");
  }

  async #sendStatic(response: ServerResponse, path: string): Promise<void> {
    const folder = resolve(this.#statics.folder);
    const file = resolve(folder, `.${decodeURIComponent(path).slice(this.#statics.route.length)}`);
    const content = file.startsWith(folder + sep) ? await readFile(file).catch(() => undefined) : undefined;
    if (!content) return sendText(response, 404, "There is nothing here.\n");
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    response.setHeader("cache-control", "private, max-age=3600");
    response.end(response.req.method === "HEAD" ? undefined : content);
  }
}

/** `<%= name %>` escaped and `<%- name %>` as it is, which is all that the board's page has; fonts from elsewhere are left out. */
export function renderTemplate(template: string, params: Readonly<Record<string, string>>): string {
  return template
    .replace(/<link href="https:\/\/fonts\.[^>]*>/g, "")
    .replace(/<%([=-])\s*(\w+)\s*%>/g, (_, kind: string, name: string) => {
      const value = params[name] ?? "";
      return kind === "-" ? value : escapeText(value);
    });
}

/** "/api/queues/:queueName/:jobId" */
function patternOf(route: string): RegExp {
  const source = route
    .split("/")
    .map((part) => (part.startsWith(":") ? `(?<${part.slice(1)}>[^/]+)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
    .join("/");
  return new RegExp(`^${source}/?$`);
}

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};
