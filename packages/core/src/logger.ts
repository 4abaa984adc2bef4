/** Fixed event name plus fields; pino's loggers fit once wrapped by `cli`. Libraries get one passed in and never print. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A logger that drops everything: the default where the caller passes none. */
export const silentLogger: Logger = { info() {}, warn() {} };
