import type { ErrorDetails } from "./errors.ts";
import {
  CancelledError,
  CheckpointError,
  ConfigError,
  DataError,
  DivergenceError,
  EnvironmentError,
  GmcError,
  NonFiniteError,
  PeerLostError,
  ShapeError,
  StaleGenerationError,
  TraceError,
  UsageError,
} from "./errors.ts";

/** What an error becomes to cross a thread or a socket: Node's clone drops class, name and fields. */
export interface EncodedError {
  readonly code: string;
  readonly message: string;
  readonly details: ErrorDetails;
}

const CLASSES = {
  ERR_CONFIG: ConfigError,
  ERR_USAGE: UsageError,
  ERR_DATA: DataError,
  ERR_TRACE: TraceError,
  ERR_NON_FINITE: NonFiniteError,
  ERR_CHECKPOINT: CheckpointError,
  ERR_CANCELLED: CancelledError,
  ERR_ENVIRONMENT: EnvironmentError,
  ERR_DIVERGENCE: DivergenceError,
} as const;

/** The error as plain data; anything that is not ours keeps its own `code` (`ENOENT`) or gets `ERR_UNKNOWN`. */
export function encodeError(error: unknown): EncodedError {
  if (error instanceof GmcError) return { code: error.code, message: error.message, details: error.details };
  if (!(error instanceof Error)) return { code: "ERR_UNKNOWN", message: String(error), details: {} };
  const code = "code" in error && typeof error.code === "string" ? error.code : "ERR_UNKNOWN";
  return { code, message: error.message, details: {} };
}

/** An error of the class that `code` names; for a code that is not ours an `Error` that carries it. */
export function decodeError({ code, message, details }: EncodedError): Error {
  if (code === "ERR_SHAPE") return decodeShapeError(message, details);
  if (code === "ERR_PEER_LOST") return decodePeerLost(message, details);
  if (code === "ERR_STALE_GENERATION") return decodeStaleGeneration(message, details);
  const known = Object.entries(CLASSES).find(([name]) => name === code)?.[1];
  return known ? new known(message, details) : Object.assign(new Error(message), { code });
}

function decodeShapeError(message: string, { where, expected, received }: ErrorDetails): Error {
  if (typeof where !== "string" || !isShape(expected) || !isShape(received)) return new DataError(message);
  return new ShapeError(where, expected, received);
}

function decodePeerLost(message: string, { rank, silentMs }: ErrorDetails): Error {
  if (typeof rank !== "number" || typeof silentMs !== "number") return new DataError(message);
  return new PeerLostError(rank, silentMs);
}

function decodeStaleGeneration(message: string, { generation, current }: ErrorDetails): Error {
  if (typeof generation !== "string") return new DataError(message);
  return new StaleGenerationError(generation, typeof current === "string" ? current : null);
}

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((length) => typeof length === "number");
