import { readFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { packageVersions } from "@gmc/experiment";
import type { WorkerReport } from "@gmc/protocol";
import { captureEnvironment } from "@gmc/storage";

/** What a worker says of itself that does not change. */
export type WorkerFacts = Omit<WorkerReport, "state" | "task">;

/** Facts about this process and machine. */
export async function describeWorker(id: string, threads?: number): Promise<WorkerFacts> {
  const { node, arch, cpu } = await captureEnvironment();
  const versions: Record<string, string> = { node, gmc: ownVersion(), ...packageVersions() };
  return {
    id,
    host: hostname(),
    pid: process.pid,
    device: cpu.model,
    threads: threads || availableParallelism(),
    versions,
    bits: bitsOf(versions, arch, cpu.instructionSets),
    startedAt: new Date().toISOString(),
  };
}

/**
 * What decides the bits of a run on a machine, as one text: parts separated by "; ". Threads do not, nor does the exact
 * model of the processor: onnxruntime chooses its kernels by instruction set.
 */
export function bitsOf(
  versions: Readonly<Record<string, string>>,
  arch: string,
  instructionSets: readonly string[],
): string {
  const major = `node ${versions.node?.split(".")[0] ?? "unknown"}`;
  const packages = Object.entries(versions)
    .filter(([name]) => name !== "node")
    .map(([name, version]) => `${name} ${version}`)
    .sort();
  return [major, ...packages, `${arch} ${instructionSets.join(",")}`].join("; ");
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String((manifest as { readonly version?: unknown }).version ?? "unknown");
}
