import { execFile, spawn, spawnSync } from "node:child_process";
import { chmodSync, createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import { ROOT } from "../../e2e/gmc.ts";
import { freePort } from "../../support/free-port.ts";

const execute = promisify(execFile);
const HEALTHY_MS = 90_000;

/** Why there is no Docker engine with compose here, for a test to be skipped with; undefined where there is one. */
export function dockerMissing(): string | undefined {
  if (spawnSync("docker", ["info"], { stdio: "ignore" }).status !== 0) return "no Docker engine answers `docker info`";
  if (spawnSync("docker", ["compose", "version"], { stdio: "ignore" }).status !== 0) return "no `docker compose`";
  return undefined;
}

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The project's compose file as a project of the test's own: own names, port, data and runs. */
export interface Compose {
  /** The project's name. */
  readonly project: string;
  /** URL of the control Redis for this machine. */
  readonly redis: string;
  /** Mounted as `data` and `runs`. */
  readonly data: string;
  readonly runs: string;
  /** `docker compose ARGS`. @throws {Error} with what it said when it fails */
  run(args: readonly string[], timeoutMs?: number): Promise<Result>;
  /** `docker ARGS`. */
  docker(args: readonly string[]): Promise<Result>;
  /** Ids of a service's running containers. */
  containers(service: string): Promise<readonly string[]>;
  /** Starts what does not run, with so many workers, and waits until all of it is healthy. */
  up(workers: number): Promise<void>;
  /** Writes the services' logs to a file and gives its path. */
  saveLogs(name: string): Promise<string>;
  /** Takes containers, volumes and folders away. */
  down(): Promise<void>;
}

/** What changes the compose file. */
export interface ComposeOptions {
  /** Further compose files, absolute. */
  readonly files?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function openCompose(options: ComposeOptions = {}): Promise<Compose> {
  const folder = mkdtempSync(join(tmpdir(), "gmc-compose-"));
  const [data, runs] = [join(folder, "data"), join(folder, "runs")];
  for (const path of [folder, data, runs]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777); // the containers' user is not the test's
  }
  const port = await freePort();
  const project = `gmc-test-${process.pid}`;
  const image = `gmc:test-${process.pid}`;
  const env = {
    ...process.env,
    DOCKER_BUILDKIT: process.env.DOCKER_BUILDKIT ?? (hasBuildx() ? "1" : "0"),
    GMC_IMAGE: image,
    GMC_REDIS_PASSWORD: "test-only",
    GMC_REDIS_PORT: String(port),
    GMC_DATA_DIR: data,
    GMC_RUNS_DIR: runs,
    ...options.env,
  };
  const call = async (args: readonly string[], timeout: number): Promise<Result> => {
    const { stdout, stderr } = await execute("docker", [...args], { env, timeout, maxBuffer: 1 << 26 }).catch(
      (error: Error & Partial<Result>) => {
        throw new Error(`docker ${args.join(" ")}: ${error.message}\n${error.stdout}\n${error.stderr}`);
      },
    );
    return { code: 0, stdout, stderr };
  };
  const files = [join(ROOT, "docker-compose.yml"), ...(options.files ?? [])];
  const compose = ["compose", ...files.flatMap((file) => ["-f", file]), "-p", project];
  const run: Compose["run"] = (args, timeoutMs = 120_000) => call([...compose, ...args], timeoutMs);
  return {
    project,
    redis: `redis://:test-only@127.0.0.1:${port}`,
    data,
    runs,
    run,
    docker: (args) => call(args, 60_000),
    async containers(service) {
      return (await run(["ps", "-q", service])).stdout.trim().split("\n").filter(Boolean);
    },
    async up(workers) {
      // Not `up --wait`, which fails at once where a container is unhealthy: one is from a pause until its next health check.
      await run(["up", "--detach", "--scale", `worker=${workers}`]);
      const allHealthy = async (): Promise<void> => {
        const { stdout } = await run(["ps", "--all", "--format", "{{.Name}} {{.State}} {{.Health}}"]);
        const states = stdout.trim().split("\n");
        expect(states.filter((state) => !state.endsWith(" running healthy"))).toEqual([]);
      };
      await vi.waitFor(allHealthy, { timeout: HEALTHY_MS, interval: 500 });
    },
    async saveLogs(name) {
      const file = join(tmpdir(), `gmc-compose-${name}-${process.pid}.log`);
      const logs = spawn("docker", [...compose, "logs", "--no-color", "--timestamps"], { env });
      const out = createWriteStream(file);
      logs.stdout.pipe(out);
      await new Promise((resolve) => logs.once("close", resolve));
      return file;
    },
    async down() {
      await run(["down", "--volumes", "--timeout", "5"]);
      const built = (await call(["images", "--quiet", image], 60_000)).stdout.trim() !== "";
      if (built) await call(["image", "rm", "--no-prune", image], 60_000); // what it was built of stays, for the next time
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const hasBuildx = (): boolean => spawnSync("docker", ["buildx", "version"], { stdio: "ignore" }).status === 0;
