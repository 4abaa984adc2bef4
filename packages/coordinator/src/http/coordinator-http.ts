import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "@gmc/core";
import { silentLogger } from "@gmc/core";
import type { JobQueue } from "@gmc/jobs";
import { openQueue } from "@gmc/jobs";
import { clusterKeys } from "@gmc/protocol";
import { sendText } from "@gmc/storage";
import { authorised } from "./basic-auth.ts";
import type { BoardAdapter } from "./board-adapter.ts";
import type { Metrics } from "./coordinator-metrics.ts";
import { coordinatorMetrics } from "./coordinator-metrics.ts";

export interface CoordinatorHttpOptions {
  /** URL of the control Redis. */
  readonly redis: string;
  /** Of the board; without one there is no board. Any user's name goes with it. */
  readonly boardPassword?: string;
  readonly logger?: Logger;
}

const BOARD = "/board";
/** Redis must answer within so long to be called healthy. */
const HEALTHY_MS = 2000;

/** `/healthz`, `/metrics` and `/board` of a coordinator, for an HTTP server. */
export class CoordinatorHttp {
  readonly #queue: JobQueue;
  readonly #metrics: Metrics;
  readonly #password: string | undefined;
  readonly #logger: Logger;
  #board: Promise<BoardAdapter> | undefined;

  private constructor(queue: JobQueue, password: string | undefined, logger: Logger) {
    this.#queue = queue;
    this.#metrics = coordinatorMetrics(queue);
    this.#password = password;
    this.#logger = logger;
  }

  /** @throws {EnvironmentError} when Redis cannot be reached */
  static async open({ redis, boardPassword, logger = silentLogger }: CoordinatorHttpOptions): Promise<CoordinatorHttp> {
    return new CoordinatorHttp(await openQueue(redis, { logger }), boardPassword, logger);
  }

  /** Answers a request; false where its path is none of these. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): boolean => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const answer = this.#answer(request, response, url);
    answer?.catch((error: Error) => {
      this.#logger.warn("http.failed", { path: url.pathname, message: error.message });
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "That did not work; the coordinator's log says why.\n");
    });
    return answer !== undefined;
  };

  close(): Promise<void> {
    return this.#queue.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> | undefined {
    const path = url.pathname;
    if (path === "/healthz") return this.#health(response);
    if (path === "/metrics") return this.#sendMetrics(response);
    const password = this.#password;
    if (password === undefined || (path !== BOARD && !path.startsWith(`${BOARD}/`))) return undefined;
    return this.#showBoard(request, response, url, password);
  }

  /** 200 while this process turns and Redis answers; whether somebody leads is told beside. */
  async #health(response: ServerResponse): Promise<void> {
    const leader = this.#queue.control.command(["HGET", clusterKeys.leader, "owner"]);
    const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), HEALTHY_MS).unref());
    const found = await Promise.race([leader.catch(() => "late" as const), late]);
    const redis = found === "late" ? "silent" : "ok";
    const body = { status: redis === "ok" ? "ok" : "unhealthy", redis, leader: redis === "ok" ? found : null };
    sendText(response, redis === "ok" ? 200 : 503, `${JSON.stringify(body)}\n`, "application/json");
  }

  async #sendMetrics(response: ServerResponse): Promise<void> {
    const text = await this.#metrics.text();
    response.setHeader("content-type", this.#metrics.contentType);
    response.end(text);
  }

  async #showBoard(request: IncomingMessage, response: ServerResponse, url: URL, password: string): Promise<void> {
    if (!authorised(request, response, password)) return;
    this.#board ??= this.#openBoard();
    await (await this.#board).handle(request, response, url);
  }

  /** Loaded when somebody looks: a coordinator without a board need not know it. */
  async #openBoard(): Promise<BoardAdapter> {
    const { createBullBoard } = await import("@bull-board/api");
    const { BullMQAdapter } = await import("@bull-board/api/bullMQAdapter");
    const { BoardAdapter } = await import("./board-adapter.ts");
    const adapter = new BoardAdapter(BOARD);
    const queues = [this.#queue.train, this.#queue.sweep].map(
      (queue) => new BullMQAdapter(queue, { readOnlyMode: true }),
    );
    createBullBoard({ queues, serverAdapter: adapter, options: { uiConfig: { boardTitle: "GMC" } } });
    return adapter;
  }
}
