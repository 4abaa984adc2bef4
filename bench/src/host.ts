import { createRequire } from "node:module";
import { availableParallelism, cpus, loadavg } from "node:os";
import type { Host } from "./result.ts";

/** This machine and its software. @param torch  the peer's version, null without one */
export function describeHost(torch: string | null, now: Date): Host {
  return {
    date: now.toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    node: process.versions.node,
    onnxruntime: onnxruntimeVersion(),
    torch,
  };
}

/** A sentence for a machine that others use right now, else undefined. */
export function busyWarning(): string | undefined {
  const [load = 0] = loadavg();
  if (load < 0.5) return undefined;
  return `The machine is busy (load ${load.toFixed(1)} on ${availableParallelism()} cores): take the ratios with care, the milliseconds not at all.`;
}

function onnxruntimeVersion(): string {
  const manifest: { version: string } = createRequire(import.meta.url)("onnxruntime-node/package.json");
  return manifest.version;
}
