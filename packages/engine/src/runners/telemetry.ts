// onnxruntime reads this from the environment alone, when it opens its first session.

/** Tells onnxruntime not to send its makers how it is used, which it does by default; who has set the variable is obeyed. */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
}
