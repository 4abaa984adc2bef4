import { sizeOf, TraceError } from "@gmc/core";
import type { Value } from "../ir/value.ts";

/** Non-uniform constants longer than this must come from an op that always gives the same. */
const ANONYMOUS_ELEMENTS = 1024;

/** tfjs ops that draw on the host: what they gave in the trace would be used in every step. */
const RANDOM = /^(rand|truncatedNormal|dropout|multinomial)/;

/** tfjs ops that fill a table on the host and always fill it alike. */
const DETERMINISTIC: ReadonlySet<string> = new Set(["eye", "hammingWindow", "hannWindow"]);

/**
 * Refuses constants that look drawn: tfjs's random ops hand plain numbers to the backend, and the compiled model would use
 * the numbers of the trace for ever.
 *
 * @param operations  names of the tfjs ops in progress, outermost first
 * @throws {TraceError} for a constant made by a random op, and for a long one that no deterministic op made
 */
export function checkBakedConstant(value: Value, operations: readonly string[]): void {
  if (value.source.kind !== "constant") return;
  const random = operations.find((name) => RANDOM.test(name));
  const short = sizeOf(value.shape) <= ANONYMOUS_ELEMENTS;
  if (random === undefined && (short || operations.some((name) => DETERMINISTIC.has(name)))) return;
  const what = random === undefined ? "A constant" : `tf.${random}: a constant`;
  throw new TraceError(
    `${what} of shape [${value.shape}] (${sizeOf(value.shape)} elements) would be baked into the compiled model, so that every ` +
      "step used the same numbers. Random masks and noise (tf.dropout, tf.randomUniform, tf.randomNormal) are inputs of " +
      'the model: declare them in `inputs` with source "mask" or "noise". A fixed table is a parameter, or is made by an ' +
      "op such as tf.range, tf.eye or tf.linspace.",
    { operation: random ?? null, shape: value.shape },
  );
}
