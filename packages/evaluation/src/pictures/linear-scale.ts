/** Where values lie on an axis. */
export interface LinearScale {
  /** Round numbers that enclose all values, evenly apart. */
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** A linear scale from round numbers to round numbers. */
export function linearScale(smallest: number, largest: number, from: number, to: number): LinearScale {
  const span = largest > smallest ? largest - smallest : Math.abs(largest) || 1;
  const step = niceStep(span / 5);
  const low = Math.floor(smallest / step) * step;
  const count = Math.max(1, Math.ceil((largest - low) / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, i) => low + i * step);
  const high = low + count * step;
  return { ticks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

/** A tick's number without the noise of its sum. */
export const tickText = (value: number): string => String(Number(value.toPrecision(6)));

/** 1, 2 or 5 times a power of ten, at least the given step. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((factor) => factor * power >= step) ?? 10);
}
