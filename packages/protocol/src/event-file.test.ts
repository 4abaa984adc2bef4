import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError } from "@gmc/core";
import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";
import { decodeEventFile, encodeEventFile } from "./event-file.ts";

const EVENTS = [
  { wallTime: 1_700_000_000.25, step: 0, scalars: { "loss/step": 1.5, "loss/epoch": 0 } },
  { wallTime: 1_700_000_001.5, step: 3_000_000_000, scalars: { learningRate: 0.0009765625 } },
];

test("crc32c has the check values of RFC 3720", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("a file begins with the bytes that every file of TensorFlow's begins with", () => {
  const bytes = Buffer.from(encodeEventFile(EVENTS));
  expect(bytes.subarray(0, 12).toString("hex")).toBe("1800000000000000a37f4b22"); // 24 bytes follow, and the crc of that
  expect(bytes.subarray(21, 36).toString("latin1")).toBe("\x1a\x0dbrain.Event:2");
});

test("events come back as they were written", () => {
  expect(decodeEventFile(encodeEventFile(EVENTS), "x")).toEqual(EVENTS);
});

test("a cut or changed file is refused, byte by byte", () => {
  const whole = encodeEventFile(EVENTS);
  const starts = new Set([0]);
  for (let at = 0; at < whole.length; ) {
    at += 16 + Number(new DataView(whole.buffer).getBigUint64(at, true));
    starts.add(at);
  }
  for (let length = 1; length < whole.length; length++) {
    if (starts.has(length)) continue; // whole records are a whole file
    expect(() => decodeEventFile(whole.subarray(0, length), "x"), `${length} bytes`).toThrow(DataError);
  }
  for (let at = 0; at < whole.length; at++) {
    const changed = Uint8Array.from(whole, (byte, i) => (i === at ? byte ^ 1 : byte));
    expect(() => decodeEventFile(changed, "x"), `byte ${at}`).toThrow(DataError);
  }
  expect(() => decodeEventFile(new Uint8Array(0), "x")).toThrow(/not an event file/);
});

const READER = `
import sys, json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1]); a.Reload()
print(json.dumps({t: [[e.wall_time, e.step, e.value] for e in a.Scalars(t)] for t in a.Tags()["scalars"]}))
`;
const missing = ((): string | undefined => {
  try {
    execFileSync("python3", ["-c", "import tensorboard"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "python3 has no tensorboard here";
  }
})();

test.skipIf(missing !== undefined)("TensorBoard's own reader finds the same scalars", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gmc-events-"));
  try {
    writeFileSync(join(folder, "events.out.tfevents.1.gmc"), encodeEventFile(EVENTS));
    const read = JSON.parse(execFileSync("python3", ["-c", READER, folder], { encoding: "utf8" }));
    expect(read).toEqual({
      "loss/step": [[1_700_000_000.25, 0, 1.5]],
      "loss/epoch": [[1_700_000_000.25, 0, 0]],
      learningRate: [[1_700_000_001.5, 3_000_000_000, 0.0009765625]],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
