import { DIGIT_SOUNDS, type Phone } from "./digit-sounds.ts";
import type { RandomStream } from "./random-stream.ts";

/** How one speaker differs from others. */
export interface Speaker {
  /** Hz of the voice. */
  readonly pitch: number;
  /** Formants relative to an average speaker: short throats have high ones. */
  readonly formantScale: number;
  /** Time relative to normal speech; below 1 is fast. */
  readonly pace: number;
  /** Share of breath in the voice. */
  readonly breath: number;
  /** How dark the voice is, 0 to 1. */
  readonly tilt: number;
  /** Noise of the recording, relative to the loudest. */
  readonly hiss: number;
}

/** A speaker of their own voice. */
export function drawSpeaker(random: RandomStream): Speaker {
  const pitch = random.between(85, 230);
  return {
    pitch,
    formantScale: 0.9 + (0.22 * (pitch - 85)) / 145 + 0.03 * random.normal(),
    pace: random.between(1.1, 1.8),
    breath: random.between(0.01, 0.06),
    tilt: random.between(0.55, 0.85),
    hiss: random.between(0.005, 0.05),
  };
}

/** Hz */
export const SPEECH_RATE = 8000;
const FRAME = 40; // samples between changes of the mouth: 5 ms
const BLEND_MS = 35;

/** One spoken digit at 8 kHz, as long as it takes (0.2 to 0.8 s), loudest about 1. */
export function sayDigit(digit: number, speaker: Speaker, random: RandomStream): Float64Array {
  const mouth = articulate(DIGIT_SOUNDS[digit] ?? [], speaker, random);
  const samples = new Float64Array(mouth.frames * FRAME);
  const resonators = [0, 1, 2].map(() => new Resonator());
  const noiseBand = new Resonator();
  const pitch = speaker.pitch * (1 + 0.07 * random.normal());
  const fall = random.between(0.1, 0.3);
  let phase = random.uniform();
  let glottis = 0;
  let peak = 1e-9;
  for (let frame = 0; frame < mouth.frames; frame++) {
    for (const [f, resonator] of resonators.entries()) {
      resonator.tune(mouth.at(FORMANT + f, frame), 70 + 40 * f);
    }
    noiseBand.tune(mouth.at(NOISE_HZ, frame), 900);
    const voice = mouth.at(VOICE, frame);
    const noise = mouth.at(NOISE, frame);
    const step = (pitch * (1 + fall * (0.5 - frame / mouth.frames)) * (1 + 0.01 * random.normal())) / SPEECH_RATE;
    for (let i = 0; i < FRAME; i++) {
      phase += step;
      const pulse = phase >= 1 ? 1 : 0;
      if (pulse) phase -= 1;
      glottis = speaker.tilt * glottis + pulse; // the cords' low-pass
      const breath = random.uniform() - 0.5;
      const source = voice * (glottis - 0.4 + speaker.breath * 6 * breath);
      let value = 0;
      let weight = 1;
      for (const resonator of resonators) {
        value += weight * resonator.next(source);
        weight *= 0.55;
      }
      value += 3 * noise * noiseBand.next(breath);
      samples[frame * FRAME + i] = value;
      if (value > peak) peak = value;
      else if (-value > peak) peak = -value;
    }
  }
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] ?? 0) / peak + speaker.hiss * random.normal();
  return samples;
}

/** Tracks of the mouth, one number a frame each. */
const VOICE = 0;
const NOISE = 1;
const NOISE_HZ = 2;
const FORMANT = 3;
const TRACKS = 6;

interface Mouth {
  readonly frames: number;
  readonly at: (track: number, frame: number) => number;
}

/** The phones one after another with this sample's durations, each blended into the next. */
function articulate(phones: readonly Phone[], speaker: Speaker, random: RandomStream): Mouth {
  const pace = speaker.pace * (1 + 0.12 * random.normal());
  const scale = speaker.formantScale * (1 + 0.04 * random.normal());
  const lead = Math.round(random.between(0, 16)); // frames of room before the word
  const steps: number[][] = [];
  for (let i = 0; i < lead; i++) steps.push([0, 0, 2500, 400, 1500, 2500]);
  for (const phone of phones) {
    const { ms, voice, noise = 0, noiseHz = 2500, formants } = phone;
    const frames = Math.max(2, Math.round((ms * pace * (1 + 0.25 * random.normal()) * SPEECH_RATE) / 1000 / FRAME));
    const loudness = 1 + 0.15 * random.normal();
    const targets = [
      voice * loudness,
      noise * loudness * (1 + 0.25 * random.normal()),
      noiseHz * (1 + 0.05 * random.normal()),
      ...formants.map((hertz) => hertz * scale * (1 + 0.08 * random.normal())),
    ];
    for (let i = 0; i < frames; i++) steps.push(targets);
  }
  const frames = steps.length;
  const tracks = Float64Array.from(
    { length: TRACKS * frames },
    (_, i) => steps[i % frames]?.[Math.floor(i / frames)] ?? 0,
  );
  const radius = Math.round((BLEND_MS * SPEECH_RATE) / 1000 / FRAME / 2);
  const smooth = blend(tracks, frames, radius);
  return { frames, at: (track, frame) => smooth[track * frames + frame] ?? 0 };
}

/** Running mean over 2·radius + 1 frames of every track. */
function blend(tracks: Float64Array, frames: number, radius: number): Float64Array {
  const out = new Float64Array(tracks.length);
  for (let start = 0; start < tracks.length; start += frames) {
    for (let frame = 0; frame < frames; frame++) {
      const from = Math.max(0, frame - radius);
      const to = Math.min(frames - 1, frame + radius);
      let sum = 0;
      for (let i = from; i <= to; i++) sum += tracks[start + i] ?? 0;
      out[start + frame] = sum / (to - from + 1);
    }
  }
  return out;
}

/** Two-pole filter that rings at one frequency; gain about 1 there. */
class Resonator {
  #gain = 0;
  #first = 0;
  #second = 0;
  #last = 0;
  #beforeLast = 0;

  tune(hertz: number, bandwidthHertz: number): void {
    const radius = Math.exp((-Math.PI * bandwidthHertz) / SPEECH_RATE);
    const angle = (2 * Math.PI * Math.min(hertz, 3900)) / SPEECH_RATE;
    this.#first = 2 * radius * Math.cos(angle);
    this.#second = -radius * radius;
    this.#gain = (1 - radius) * 2 * Math.sin(angle) + 0.01;
  }

  next(input: number): number {
    const value = this.#gain * input + this.#first * this.#last + this.#second * this.#beforeLast;
    this.#beforeLast = this.#last;
    this.#last = value;
    return value;
  }
}
