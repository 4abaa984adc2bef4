import type { Context } from "../context.ts";

/** What runs until it is told to stop: a worker, a coordinator, a local cluster. */
export interface Service {
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  close(): Promise<void>;
}

export interface ServiceOptions {
  /** For the log: "worker". */
  readonly name: string;
  /** Tells the parent process when it is ready, and ends at once when the parent has gone. */
  readonly withParent: boolean;
}

/** Runs a service in this process until SIGTERM or Ctrl-C, which end it in good order. */
export async function runService(
  { logger, signal }: Context,
  service: Service,
  { name, withParent }: ServiceOptions,
): Promise<void> {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    logger.info(`${name}.stopping`);
    service.close().catch((error: Error) => logger.warn(`${name}.stop-failed`, { message: error.message }));
  };
  const orphaned = (): void => process.exit(1);
  if (withParent) process.once("disconnect", orphaned);
  signal.addEventListener("abort", stop, { once: true });
  service.done.catch(() => {}); // looked at below
  try {
    if (signal.aborted) stop();
    await Promise.race([service.ready, service.done]);
    if (!stopping) logger.info(`${name}.ready`);
    if (withParent) process.send?.({ ready: true });
    await service.done;
    logger.info(`${name}.ended`);
  } finally {
    signal.removeEventListener("abort", stop);
    process.off("disconnect", orphaned);
    if (withParent && process.connected) process.disconnect?.();
  }
}
