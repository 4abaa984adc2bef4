import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, hostname, release, totalmem } from "node:os";
import { promisify } from "node:util";

/** What a run ran on, for its record: the same bits are promised for the same engine, instruction set and Node major. */
export interface RunEnvironment {
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly arch: string;
  readonly osRelease: string;
  readonly host: string;
  readonly cpu: { readonly model: string; readonly threads: number; readonly instructionSets: readonly string[] };
  readonly memoryBytes: number;
  /** Versions of packages that matter, as the caller names them. */
  readonly packages: Readonly<Record<string, string>>;
  /** The source's commit, when `sourceFolder` is a git checkout. */
  readonly git?: { readonly commit: string; readonly changed: boolean };
}

const run = promisify(execFile);
const INSTRUCTION_SETS = /^(sse4_2|avx|avx2|fma|f16c|avx512\w+|avx_vnni|amx_\w+|asimd\w*|sve\w*|bf16|i8mm)$/;

/**
 * Facts about this process and machine; what cannot be found out is left out.
 *
 * @param packages      versions to record, by package name
 * @param sourceFolder  folder whose git commit is recorded
 */
export async function captureEnvironment(
  packages: Readonly<Record<string, string>> = {},
  sourceFolder?: string,
): Promise<RunEnvironment> {
  const git = sourceFolder === undefined ? undefined : await gitState(sourceFolder);
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    platform: process.platform,
    arch: process.arch,
    osRelease: release(),
    host: hostname(),
    cpu: {
      model: cpus()[0]?.model ?? "unknown",
      threads: availableParallelism(),
      instructionSets: await instructionSets(),
    },
    memoryBytes: totalmem(),
    packages,
    ...(git ? { git } : {}),
  };
}

/** From /proc/cpuinfo; empty elsewhere than on Linux. */
async function instructionSets(): Promise<string[]> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? [];
  return flags.filter((flag) => INSTRUCTION_SETS.test(flag)).sort();
}

async function gitState(folder: string): Promise<RunEnvironment["git"]> {
  try {
    const head = await run("git", ["rev-parse", "HEAD"], { cwd: folder });
    const status = await run("git", ["status", "--porcelain"], { cwd: folder });
    return { commit: head.stdout.trim(), changed: status.stdout.trim() !== "" };
  } catch {
    return undefined; // no git, or no checkout: a packed install has neither
  }
}
