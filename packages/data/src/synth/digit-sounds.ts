/** One sound of a word, held and blended into its neighbours. */
export interface Phone {
  /** Milliseconds at normal rate. */
  readonly ms: number;
  /** Strength of the vocal cords, 0 to 1. */
  readonly voice: number;
  /** Strength of the breath's noise, 0 to 1, and the Hz its band is centred at. */
  readonly noise?: number;
  readonly noiseHz?: number;
  /** Resonances of the mouth in Hz, of an average speaker. */
  readonly formants: readonly [f1: number, f2: number, f3: number];
}

const TH: Phone = { ms: 70, voice: 0, noise: 0.16, noiseHz: 2400, formants: [400, 1400, 2600] };
const F: Phone = { ms: 80, voice: 0, noise: 0.14, noiseHz: 3000, formants: [400, 1100, 2300] };
const S: Phone = { ms: 100, voice: 0, noise: 0.5, noiseHz: 3500, formants: [350, 1700, 2600] };
const N: Phone = { ms: 75, voice: 0.4, formants: [280, 1350, 2450] };
const R: Phone = { ms: 60, voice: 0.7, formants: [380, 1150, 1600] };
const A: Phone = { ms: 90, voice: 1, formants: [740, 1250, 2500] };
const I: Phone = { ms: 80, voice: 0.85, formants: [400, 1950, 2600] };
const V: Phone = { ms: 55, voice: 0.45, noise: 0.06, noiseHz: 2800, formants: [320, 1200, 2300] };
const SILENCE: Phone = { ms: 45, voice: 0, formants: [400, 1800, 2600] };

/** How each digit is said in English, roughly. */
export const DIGIT_SOUNDS: readonly (readonly Phone[])[] = [
  [{ ...S, ms: 70, voice: 0.3, noise: 0.25 }, { ...I, ms: 70 }, R, { ms: 130, voice: 1, formants: [500, 900, 2400] }],
  [{ ms: 70, voice: 0.7, formants: [310, 650, 2250] }, { ms: 120, voice: 1, formants: [640, 1150, 2450] }, N],
  [
    { ms: 35, voice: 0, noise: 0.5, noiseHz: 3000, formants: [350, 1800, 2600] },
    { ms: 170, voice: 1, formants: [320, 1050, 2250] },
  ],
  [TH, R, { ms: 160, voice: 1, formants: [290, 2250, 2950] }],
  [F, { ms: 140, voice: 1, formants: [550, 850, 2450] }, { ...R, ms: 80 }],
  [F, A, I, V],
  [S, { ...I, ms: 80 }, SILENCE, { ...S, ms: 90 }],
  [S, { ms: 80, voice: 1, formants: [560, 1800, 2500] }, V, { ms: 50, voice: 0.8, formants: [500, 1400, 2450] }, N],
  [
    { ms: 90, voice: 1, formants: [520, 1850, 2500] },
    { ms: 80, voice: 0.9, formants: [330, 2200, 2800] },
    SILENCE,
    { ms: 35, voice: 0, noise: 0.35, noiseHz: 3000, formants: [350, 1800, 2600] },
  ],
  [{ ...N, ms: 80 }, A, I, { ...N, ms: 85 }],
];
