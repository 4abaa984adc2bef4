import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { byteSize } from "../text-table.ts";
import type { Finding } from "./finding.ts";
import { firstLine } from "./finding.ts";

const MEMORY_BYTES = 1.5e9; // the preset mhd at batch 64 with room to spare
const DISK_BYTES = 1e9;

export function nodeFinding(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { name: "Node", ok, needed: true, found: node, advice: "Node 20.19 or newer: https://nodejs.org" };
}

export function memoryFinding(): Finding {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return {
    name: "memory",
    ok: total >= MEMORY_BYTES,
    needed: false,
    found: `${byteSize(total)}, ${byteSize(freemem())} of it free`,
    advice: `The paper's model wants about ${byteSize(MEMORY_BYTES)}; a smaller one or a smaller batch needs less (gmc config FILE).`,
  };
}

export function processorFinding(): Finding {
  const found = `${availableParallelism()} threads, ${cpus()[0]?.model.trim() ?? "unknown"}, ${process.platform} ${process.arch}`;
  return { name: "processor", ok: true, needed: false, found };
}

/** NVIDIA's cards by their driver's own tool; what other cards can do, the engines' findings say. */
export async function cardFinding(): Promise<Finding> {
  const common = { name: "NVIDIA", ok: true, needed: false };
  const query = ["--query-gpu=index,name,driver_version,compute_cap,memory.total", "--format=csv,noheader"];
  const { output, error } = await outputOf("nvidia-smi", query);
  const cards = output.split("\n").filter((line) => line.includes(","));
  if (cards.length > 0) {
    const names = cards.map((card) => {
      const [index, name, driver, capability, memory] = card.split(",").map((field) => field.trim());
      return `gpu:${index} ${name} (driver ${driver}, compute capability ${capability}, ${memory})`;
    });
    return { ...common, found: names.join(", ") };
  }
  return {
    ...common,
    absent: true,
    found: error ? "no card: nvidia-smi, the driver's tool, is not there" : `no card: ${output.split("\n")[0] ?? ""}`,
    advice: "Where there is a card: install NVIDIA's driver; in a container, hand the card in (--gpus all).",
  };
}

/** @param folder  where runs would be written */
export async function diskFinding(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const advice = `Runs and data sets want about ${byteSize(DISK_BYTES)} here; free some, or run gmc in another folder.`;
  return { name: "disk", ok: free >= DISK_BYTES, needed: false, found: `${byteSize(free)} free in ${folder}`, advice };
}

export function sharpFinding(): Finding {
  const common = { name: "sharp", needed: false };
  try {
    const sharp: { versions?: { vips?: string } } = createRequire(import.meta.resolve("@gmc/data"))("sharp");
    return { ...common, ok: true, found: `libvips ${sharp.versions?.vips ?? "of unknown version"}` };
  } catch (error) {
    const advice = "Contact sheets and folders of images need it: npm install --include=optional sharp";
    return { ...common, ok: false, found: firstLine(error), advice };
  }
}

/** What a command prints, and whether it could be started at all. */
export function outputOf(command: string, args: readonly string[]): Promise<{ output: string; error: boolean }> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({
        output: stdout.trim() || stderr.trim(),
        error: error !== null && "code" in error && error.code === "ENOENT",
      });
    });
  });
}
