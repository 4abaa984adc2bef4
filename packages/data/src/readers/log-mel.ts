/** How a log-mel spectrogram is taken; the defaults are the digits' [32 frames, 128 bands] at 8 kHz. */
export interface LogMelOptions {
  /** Hz of the samples given. */
  readonly sampleRate: number;
  /** Samples that are used; longer recordings are cut, shorter ones padded with zeros at the end. */
  readonly length: number;
  /** Zeros put before and after. */
  readonly padding: number;
  /** Samples of one frame, and from one frame's start to the next. */
  readonly frame: number;
  readonly hop: number;
  /** A power of two, not smaller than `frame`. */
  readonly fft: number;
  readonly bands: number;
  /** Hz */
  readonly lowest: number;
  readonly highest: number;
  /** Decibels below the loudest that become 0. */
  readonly rangeDb: number;
}

/** 1.024 s at 8 kHz: 8,192 samples and 128 zeros at both ends make 32 frames of 512 with hop 256. */
export const DIGITS_LOG_MEL: LogMelOptions = {
  sampleRate: 8000,
  length: 8192,
  padding: 128,
  frame: 512,
  hop: 256,
  fft: 1024,
  bands: 128,
  lowest: 0,
  highest: 4000,
  rangeDb: 80,
};

/** Frames of a spectrogram with these options. */
export const framesOf = ({ length, padding, frame, hop }: LogMelOptions): number =>
  Math.floor((length + 2 * padding - frame) / hop) + 1;

/**
 * [frames, bands] log-mel spectrogram, from 0 (`rangeDb` below the loudest value) to 1 (the loudest).
 *
 * The recording is divided by its peak; per frame: symmetric Hann window, zeros up to the FFT's length, power, triangular
 * HTK mel bands (2595·log10(1 + f/700)) of height one, 10·log10(max(·, 1e-10)). Computed in float64, rounded once.
 * Silence gives zeros.
 *
 * @param samples  any scale, at `options.sampleRate`
 */
export function logMel(samples: Float64Array, options: LogMelOptions = DIGITS_LOG_MEL): Float32Array {
  const { frame, hop, fft, bands, rangeDb } = options;
  const { window, bandList, transform } = plan(options);
  const frames = framesOf(options);
  const signal = normalisedSignal(samples, options);
  const decibels = new Float64Array(frames * bands);
  const real = new Float64Array(fft);
  const imaginary = new Float64Array(fft);
  const power = new Float64Array(fft / 2 + 1);
  let loudest = Number.NEGATIVE_INFINITY;
  if (!signal) return new Float32Array(frames * bands);
  for (let f = 0; f < frames; f++) {
    real.fill(0);
    imaginary.fill(0);
    for (let i = 0; i < frame; i++) real[i] = (signal[f * hop + i] ?? 0) * (window[i] ?? 0);
    transform(real, imaginary);
    for (let k = 0; k < power.length; k++) {
      const re = real[k] ?? 0;
      const im = imaginary[k] ?? 0;
      power[k] = re * re + im * im;
    }
    for (let b = 0; b < bands; b++) {
      const { first, weights } = bandList[b] ?? { first: 0, weights: new Float64Array(0) };
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += (weights[k] ?? 0) * (power[first + k] ?? 0);
      const level = 10 * Math.log10(Math.max(sum, 1e-10));
      decibels[f * bands + b] = level;
      if (level > loudest) loudest = level;
    }
  }
  const out = new Float32Array(frames * bands);
  for (let i = 0; i < out.length; i++) {
    out[i] = Math.min(1, Math.max(0, ((decibels[i] ?? 0) - loudest + rangeDb) / rangeDb));
  }
  return out;
}

/** Padded, cut and divided by the whole recording's peak; undefined for silence. */
function normalisedSignal(samples: Float64Array, { length, padding }: LogMelOptions): Float64Array | undefined {
  let peak = 0;
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i] ?? 0));
  if (peak === 0) return undefined;
  const signal = new Float64Array(length + 2 * padding);
  const used = Math.min(length, samples.length);
  for (let i = 0; i < used; i++) signal[padding + i] = (samples[i] ?? 0) / peak;
  return signal;
}

interface Band {
  /** Index of the first bin with a weight. */
  readonly first: number;
  readonly weights: Float64Array;
}

interface Plan {
  readonly window: Float64Array;
  readonly bandList: readonly Band[];
  readonly transform: (real: Float64Array, imaginary: Float64Array) => void;
}

const plans = new Map<string, Plan>();

function plan(options: LogMelOptions): Plan {
  const key = JSON.stringify(options);
  const known = plans.get(key);
  if (known) return known;
  const made = { window: hann(options.frame), bandList: melBands(options), transform: fourierTransform(options.fft) };
  plans.set(key, made);
  return made;
}

/** Symmetric: first and last are 0. */
function hann(length: number): Float64Array {
  const window = new Float64Array(length);
  for (let i = 0; i < length; i++) window[i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (length - 1));
  return window;
}

/** Triangles with corners equidistant in mel, as weights of the FFT's bins. */
function melBands({ sampleRate, fft, bands, lowest, highest }: LogMelOptions): Band[] {
  const melOf = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const hertzOf = (mel: number): number => 700 * (Math.exp((mel / 2595) * Math.LN10) - 1);
  const corners = Array.from({ length: bands + 2 }, (_, i) =>
    hertzOf(melOf(lowest) + ((melOf(highest) - melOf(lowest)) * i) / (bands + 1)),
  );
  return Array.from({ length: bands }, (_, b) => {
    const [left = 0, centre = 0, right = 0] = corners.slice(b, b + 3);
    const weights: number[] = [];
    let first = 0;
    for (let k = 0; k <= fft / 2; k++) {
      const hertz = (k * sampleRate) / fft;
      const weight = Math.min((hertz - left) / (centre - left), (right - hertz) / (right - centre));
      if (weight <= 0) continue;
      if (weights.length === 0) first = k;
      weights.push(weight);
    }
    return { first, weights: Float64Array.from(weights) };
  });
}

/** In-place complex FFT of a power of two (radix 2, decimation in time). */
function fourierTransform(length: number): Plan["transform"] {
  if (length < 2 || (length & (length - 1)) !== 0) throw new RangeError(`logMel: fft is ${length}, not a power of two`);
  const cosines = new Float64Array(length / 2);
  const sines = new Float64Array(length / 2);
  for (let i = 0; i < length / 2; i++) {
    cosines[i] = Math.cos((2 * Math.PI * i) / length);
    sines[i] = -Math.sin((2 * Math.PI * i) / length);
  }
  const reversed = new Uint32Array(length);
  for (let i = 0; i < length; i++) reversed[i] = ((reversed[i >> 1] ?? 0) >> 1) | (i & 1 ? length >> 1 : 0);
  return (real, imaginary) => {
    for (let i = 0; i < length; i++) {
      const j = reversed[i] ?? 0;
      if (j <= i) continue;
      const re = real[i] ?? 0;
      const im = imaginary[i] ?? 0;
      real[i] = real[j] ?? 0;
      imaginary[i] = imaginary[j] ?? 0;
      real[j] = re;
      imaginary[j] = im;
    }
    for (let half = 1; half < length; half *= 2) {
      const stride = length / (2 * half);
      for (let start = 0; start < length; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const c = cosines[k * stride] ?? 0;
          const s = sines[k * stride] ?? 0;
          const low = start + k;
          const high = low + half;
          const re = (real[high] ?? 0) * c - (imaginary[high] ?? 0) * s;
          const im = (real[high] ?? 0) * s + (imaginary[high] ?? 0) * c;
          real[high] = (real[low] ?? 0) - re;
          imaginary[high] = (imaginary[low] ?? 0) - im;
          real[low] = (real[low] ?? 0) + re;
          imaginary[low] = (imaginary[low] ?? 0) + im;
        }
      }
    }
  };
}
