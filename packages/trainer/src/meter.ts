/** Recent loss and speed over a sliding window of steps. */
export interface Meter {
  add(loss: number, samples: number, endedMs: number): void;
  /** Mean loss of the window's steps; NaN before the first. */
  recentLoss(): number;
  samplesPerSecond(): number;
  /** Mean seconds between the ends of two steps; 0 before the first. */
  secondsPerStep(): number;
}

/**
 * @param startedMs    when the first step began
 * @param windowSteps  length of the window
 */
export function meter(startedMs: number, windowSteps = 50): Meter {
  const losses = new Float64Array(windowSteps);
  const samples = new Float64Array(windowSteps);
  const endsMs = new Float64Array(windowSteps + 1);
  endsMs[0] = startedMs;
  let steps = 0;
  const filled = (): number => Math.min(steps, windowSteps);
  const seconds = (): number => {
    const last = endsMs[steps % (windowSteps + 1)] ?? 0;
    const first = endsMs[(steps - filled()) % (windowSteps + 1)] ?? 0;
    return (last - first) / 1000;
  };
  const mean = (values: Float64Array): number => values.subarray(0, filled()).reduce((sum, v) => sum + v, 0) / filled();
  return {
    add(loss, count, endedMs) {
      losses[steps % windowSteps] = loss;
      samples[steps % windowSteps] = count;
      steps++;
      endsMs[steps % (windowSteps + 1)] = endedMs;
    },
    recentLoss: () => mean(losses),
    samplesPerSecond: () => (seconds() > 0 ? (mean(samples) * filled()) / seconds() : 0),
    secondsPerStep: () => (steps > 0 ? seconds() / filled() : 0),
  };
}
