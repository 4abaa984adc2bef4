import { DataError } from "@gmc/core";
import { readSourceFile } from "./source-file.ts";

/** A recording. */
export interface Recording {
  /** Hz */
  readonly sampleRate: number;
  /** From -1 to 1; several channels are averaged. */
  readonly samples: Float64Array;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/**
 * The recording of a RIFF/WAVE file: PCM of 8, 16, 24 or 32 bits (16 bits: sample / 32768), or float of 32 or 64.
 *
 * @throws {DataError} for other encodings (compressed ones), broken files and files without samples
 */
export async function readWav(path: string): Promise<Recording> {
  return decodeWav(await readSourceFile(path), path);
}

/** The same from bytes in memory; `name` is for messages. */
export function decodeWav(bytes: Buffer, name: string): Recording {
  const fail = (what: string): DataError => new DataError(`${name}: ${what}`, { path: name });
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE") {
    throw fail("it is not a WAV file (no RIFF/WAVE at its start).");
  }
  let format: { code: number; channels: number; sampleRate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString("latin1", at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (id === "fmt ") {
      if (body.length < 16) throw fail("its fmt chunk is cut short.");
      const code = body.readUInt16LE(0);
      format = {
        code: code === EXTENSIBLE && body.length >= 26 ? body.readUInt16LE(24) : code,
        channels: body.readUInt16LE(2),
        sampleRate: body.readUInt32LE(4),
        bits: body.readUInt16LE(14),
      };
    } else if (id === "data") {
      if (!format) throw fail("its data chunk comes before its fmt chunk.");
      const { code, bits, channels } = format;
      const read = sampleReader(code, bits, body);
      if (!read || channels === 0) {
        throw fail(`format ${code} with ${bits} bits is not supported; save it as PCM of 16 bits, or as float.`);
      }
      const frames = Math.floor(body.length / ((bits / 8) * channels));
      if (frames === 0) throw fail("it has no samples.");
      return { sampleRate: format.sampleRate, samples: mixDown(read, frames, channels) };
    }
    at += 8 + size + (size % 2); // chunks are padded to even length
  }
  throw fail("it has no data chunk.");
}

/** Reads sample i as a number from -1 to 1; undefined for encodings that are not known. */
function sampleReader(code: number, bits: number, body: Buffer): ((index: number) => number) | undefined {
  if (code === PCM && bits === 16) return (i) => body.readInt16LE(2 * i) / 32768;
  if (code === PCM && bits === 8) return (i) => (body.readUInt8(i) - 128) / 128;
  if (code === PCM && bits === 24) return (i) => body.readIntLE(3 * i, 3) / 8388608;
  if (code === PCM && bits === 32) return (i) => body.readInt32LE(4 * i) / 2147483648;
  if (code === FLOAT && bits === 32) return (i) => body.readFloatLE(4 * i);
  if (code === FLOAT && bits === 64) return (i) => body.readDoubleLE(8 * i);
  return undefined;
}

function mixDown(read: (index: number) => number, frames: number, channels: number): Float64Array {
  const samples = new Float64Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read(i * channels + c);
    samples[i] = sum / channels;
  }
  return samples;
}
