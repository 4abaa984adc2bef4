import type { CommandRunner, Script } from "./connection.ts";

export interface BoundedLogOptions {
  /** The log ends with this key: nothing is written once it is gone. */
  readonly owner: string;
  /** A list, the latest line last. */
  readonly list: string;
  /** Lines that are kept. */
  readonly most: number;
  /** Lines are sent together, after so long at the latest. Default 500. */
  readonly everyMs?: number;
}

/** Longer lines are cut. */
const LONGEST = 4096;

/**
 * Lines of text for people in a Redis list that keeps the latest and goes with its owner. Lines that cannot be written, because
 * Redis is away or slow, are lost rather than kept: a log must never hold up what it tells of.
 */
export class BoundedLog {
  readonly #connection: Pick<CommandRunner, "evaluate">;
  readonly #options: BoundedLogOptions;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(connection: Pick<CommandRunner, "evaluate">, options: BoundedLogOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  write(line: string): void {
    this.#lines.push(line.slice(0, LONGEST));
    if (this.#lines.length > this.#options.most) this.#lines.shift();
    this.#timer ??= setTimeout(() => this.flush(), this.#options.everyMs ?? 500).unref();
  }

  /** Sends what has been written; settles when it is there, or lost. */
  flush(): Promise<unknown> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { owner, list, most } = this.#options;
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length === 0) return this.#writing;
    this.#writing = this.#connection.evaluate(APPEND, [owner, list], [most, ...lines]).catch(() => undefined);
    return this.#writing;
  }
}

const APPEND: Script = {
  name: "append-bounded",
  lua: `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 2, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[1]), -1)
return 1
`,
};
