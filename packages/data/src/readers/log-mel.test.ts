import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { decodeNpy } from "@gmc/storage";
import { describe, expect, test } from "vitest";
import { DIGITS_LOG_MEL, framesOf, logMel } from "./log-mel.ts";
import { decodeWav, readWav } from "./wav.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const chirp = async (): Promise<Float64Array> => (await readWav(fixture("chirp.wav"))).samples;

function largestDifference(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(Number(a[i]) - Number(b[i])));
  return largest;
}

describe("logMel", () => {
  test("agrees with numpy's float64 to half a float32 unit, for a long and a short recording", async () => {
    const samples = await chirp();
    const long = decodeNpy(await readFile(fixture("chirp-log-mel.npy"))).data;
    expect(largestDifference(logMel(samples), long)).toBeLessThan(3.1e-8); // rounding to float32 below 1 costs 2.98e-8
    const short = decodeNpy(await readFile(fixture("chirp-short-log-mel.npy"))).data;
    expect(largestDifference(logMel(samples.subarray(0, 1500)), short)).toBeLessThan(6.1e-8); // one unit
  });

  test("agrees with a discrete Fourier transform summed term by term", async () => {
    const samples = await chirp();
    const frames = [0, 13, 31];
    const mel = logMel(samples);
    const slow = slowDecibels(samples);
    const loudest = Math.max(...slow);
    for (const frame of frames) {
      for (let band = 0; band < 128; band += 9) {
        const expected = Math.min(1, Math.max(0, ((slow[frame * 128 + band] ?? 0) - loudest + 80) / 80));
        expect(mel[frame * 128 + band], `frame ${frame}, band ${band}`).toBeCloseTo(expected, 6);
      }
    }
  }, 60_000);

  test("is independent of the recording's level, from 0 to 1, and zero for silence", async () => {
    const samples = await chirp();
    expect(logMel(samples.map((sample) => sample / 4))).toEqual(logMel(samples));
    expect(Math.max(...logMel(samples))).toBe(1);
    expect(Math.min(...logMel(samples))).toBeGreaterThanOrEqual(0);
    expect(logMel(new Float64Array(100))).toEqual(new Float32Array(32 * 128));
  });

  test("divides by the peak of the whole recording, also beyond the part that is used", async () => {
    const samples = await chirp();
    const louderEnd = Float64Array.from(samples);
    louderEnd[8900] = 1;
    expect(largestDifference(logMel(louderEnd), logMel(samples))).toBeLessThan(1e-6); // levels are relative to the loudest
    const cut = samples.subarray(0, 8192);
    expect(largestDifference(logMel(cut), logMel(samples))).toBeLessThan(1e-6);
  });

  test("has as many frames as its options say", () => {
    expect(framesOf(DIGITS_LOG_MEL)).toBe(32);
    const options = { ...DIGITS_LOG_MEL, length: 4096, padding: 0, frame: 256, hop: 128, fft: 256, bands: 20 };
    expect(
      logMel(
        Float64Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
        options,
      ),
    ).toHaveLength(31 * 20);
    expect(() => logMel(Float64Array.of(1), { ...options, fft: 300 })).toThrow(/not a power of two/);
  });
});

/** [32·128] decibels of the rules, every transform as a plain sum. */
function slowDecibels(samples: Float64Array): Float64Array {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const melOf = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
  const corners = Array.from({ length: 130 }, (_, i) => 700 * (10 ** ((melOf(4000) * i) / 129 / 2595) - 1));
  const decibels = new Float64Array(32 * 128);
  for (let frame = 0; frame < 32; frame++) {
    const power = Array.from({ length: 513 }, (_, bin) => {
      let [real, imaginary] = [0, 0];
      for (let n = 0; n < 512; n++) {
        const at = frame * 256 + n - 128;
        const sample = at >= 0 && at < 8192 ? (samples[at] ?? 0) / peak : 0;
        const value = sample * 0.5 * (1 - Math.cos((2 * Math.PI * n) / 511));
        real += value * Math.cos((2 * Math.PI * bin * n) / 1024);
        imaginary -= value * Math.sin((2 * Math.PI * bin * n) / 1024);
      }
      return real * real + imaginary * imaginary;
    });
    for (let band = 0; band < 128; band++) {
      const [left, centre, right] = [corners[band] ?? 0, corners[band + 1] ?? 0, corners[band + 2] ?? 0];
      const sum = power.reduce((total, value, bin) => {
        const hertz = bin * 7.8125;
        return (
          total + value * Math.max(0, Math.min((hertz - left) / (centre - left), (right - hertz) / (right - centre)))
        );
      }, 0);
      decibels[frame * 128 + band] = 10 * Math.log10(Math.max(sum, 1e-10));
    }
  }
  return decibels;
}

describe("readWav", () => {
  /** A RIFF file with an odd chunk before its data. */
  function wav(code: number, bits: number, channels: number, body: Buffer): Buffer {
    const format = Buffer.alloc(16);
    format.writeUInt16LE(code, 0);
    format.writeUInt16LE(channels, 2);
    format.writeUInt32LE(8000, 4);
    format.writeUInt16LE(bits, 14);
    const chunk = (id: string, content: Buffer) => {
      const head = Buffer.alloc(8);
      head.write(id, "latin1");
      head.writeUInt32LE(content.length, 4);
      return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
    };
    const all = Buffer.concat([chunk("fmt ", format), chunk("LIST", Buffer.from("odd")), chunk("data", body)]);
    return Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE", "latin1"), all]);
  }

  test("16-bit samples are divided by 32768, in a file written by Python's wave module too", async () => {
    const { sampleRate, samples } = await readWav(fixture("chirp.wav"));
    expect({ sampleRate, length: samples.length }).toEqual({ sampleRate: 8000, length: 9000 });
    expect(Math.max(...samples.map(Math.abs))).toBe(12000 / 32768);
    expect([...decodeWav(wav(1, 16, 1, Buffer.from([0, 0x80, 0xff, 0x7f])), "a").samples]).toEqual([-1, 32767 / 32768]);
  });

  test("other widths and floats are read, two channels averaged", () => {
    expect([...decodeWav(wav(1, 8, 1, Buffer.from([0, 128, 192])), "a").samples]).toEqual([-1, 0, 0.5]);
    expect([...decodeWav(wav(1, 24, 1, Buffer.from([0, 0, 0x40])), "a").samples]).toEqual([0.5]);
    expect([...decodeWav(wav(1, 32, 1, Buffer.from([0, 0, 0, 0xc0])), "a").samples]).toEqual([-0.5]);
    const floats = Buffer.alloc(8);
    floats.writeFloatLE(0.25, 0);
    floats.writeFloatLE(0.75, 4);
    expect([...decodeWav(wav(3, 32, 2, floats), "a").samples]).toEqual([0.5]);
  });

  test("compressed, empty and foreign files are refused by name", () => {
    expect(() => decodeWav(wav(85, 16, 1, Buffer.alloc(4)), "a.wav")).toThrow(/a\.wav: format 85 with 16 bits/);
    expect(() => decodeWav(wav(1, 16, 1, Buffer.alloc(0)), "a.wav")).toThrow(/no samples/);
    expect(() => decodeWav(Buffer.from("ID3 and so on"), "a.wav")).toThrow(/not a WAV file/);
    expect(() => decodeWav(wav(1, 16, 1, Buffer.alloc(4)).subarray(0, 36), "a.wav")).toThrow(/no data chunk/);
  });
});
