/** Turns Ctrl-C into an abort: the work in hand ends in good order. A second one ends the process at once. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Conventional exit code once a signal came: 130 after SIGINT, 143 after SIGTERM. */
  exitCode(): number | undefined;
  close(): void;
}

const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** @param say  gets the line that tells what happens now */
export function listenForInterrupt(say: (line: string) => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const onSignal = (name: keyof typeof CODES) => {
    if (controller.signal.aborted) process.exit(CODES[name]);
    exitCode = CODES[name];
    say("Stopping after this step; once more to stop at once.");
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    close() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
