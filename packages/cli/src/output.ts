import type { StatusStream } from "./status.ts";

/** Where a command's words go. Standard output carries results only; progress and warnings go to standard error. */
export interface Output {
  /** True when `--json` was given: standard output then gets exactly one document. */
  readonly json: boolean;
  /** The command's result: `document` in JSON mode, else the text for people. */
  result(document: unknown, text: string): void;
  /** In JSON mode one line of a stream of documents, for commands that tell as they go; nothing otherwise. */
  line(document: unknown): void;
  /** A line for people on standard error. */
  say(line: string): void;
  readonly errors: StatusStream;
}

/** The two streams a command writes to. */
export interface Streams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: StatusStream;
}

/** Wires an output; without `json`, `result` prints text. */
export function openOutput(streams: Streams, json: boolean): Output {
  return {
    json,
    result(document, text) {
      streams.stdout.write(`${json ? JSON.stringify(document, null, 2) : text.trimEnd()}\n`);
    },
    line(document) {
      if (json) streams.stdout.write(`${JSON.stringify(document)}\n`);
    },
    say(line) {
      streams.stderr.write(`${line}\n`);
    },
    errors: streams.stderr,
  };
}
