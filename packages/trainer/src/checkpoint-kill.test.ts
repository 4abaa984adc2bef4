import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomKey, uniformAt } from "@gmc/core";
import { expect, test } from "vitest";
import { WRITTEN_IDENTITY, WRITTEN_MODEL, writtenState } from "./checkpoint-writer.testing.ts";
import { openCheckpoints } from "./checkpoints.ts";

const WRITER = fileURLToPath(new URL("./checkpoint-writer.testing.ts", import.meta.url));

/** Starts a process that saves for ever, kills it `delayMs` after its first output, and gives the last step it reported. */
async function killWriter(folder: string, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", "--conditions=@gmc/source", WRITER, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ended = once(child, "close");
  child.stdout.on("data", (chunk: Buffer) => {
    if (output === "") setTimeout(() => child.kill("SIGKILL"), delayMs);
    output += chunk.toString();
  });
  const [, signal] = await ended;
  expect(signal).toBe("SIGKILL");
  return Number(output.trimEnd().split("\n").at(-1));
}

test("whenever the writer is killed, what the folder holds loads, whole and at least as new as what was reported", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "gmc-kill-")), "checkpoints");
  const key = randomKey(1, "kill");
  for (let round = 0; round < 3; round++) {
    const reported = await killWriter(folder, 60 * uniformAt(key, round));
    const checkpoints = openCheckpoints(folder, WRITTEN_MODEL, WRITTEN_IDENTITY);
    const [last, best] = [await checkpoints.load("last"), await checkpoints.load("best")];
    expect(last?.step).toBeGreaterThanOrEqual(reported);
    expect(last).toEqual(writtenState(last!.step));
    if (best) expect(best).toEqual(writtenState(best.step));
  }
  await openCheckpoints(folder, WRITTEN_MODEL, WRITTEN_IDENTITY).save(writtenState(1e6), "last");
  const left = (await readdir(folder)).filter((name) => !name.endsWith(".json"));
  expect(left.length).toBeLessThanOrEqual(2); // the file of last, that of best, and nothing that a killed process left
  await rm(join(folder, ".."), { recursive: true, force: true });
}, 120_000);
