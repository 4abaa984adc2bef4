/** Points of a resampled trajectory. */
export const TRAJECTORY_POINTS = 100;

/**
 * [2·points] x0, y0, x1, y1, …: the strokes joined in writing order to one polyline (a pen-up gap becomes a straight
 * segment), points equal to their predecessor dropped, resampled to points equidistant in arc length with the first and
 * last kept; the bounding box's centre at 0 and its longer side from -1 to 1, aspect ratio kept, y up.
 * Computed in float64. A single point gives zeros.
 */
export function resampleTrajectory(strokes: readonly Float64Array[], points = TRAJECTORY_POINTS): Float32Array {
  const line = joinStrokes(strokes);
  const resampled = resample(line, points);
  return normalise(resampled);
}

/** x0, y0, x1, y1, … of all strokes, without points equal to their predecessor. */
function joinStrokes(strokes: readonly Float64Array[]): Float64Array {
  const joined: number[] = [];
  for (const stroke of strokes) {
    for (let i = 0; i + 1 < stroke.length; i += 2) {
      const x = stroke[i] ?? 0;
      const y = stroke[i + 1] ?? 0;
      if (joined.length > 0 && joined.at(-2) === x && joined.at(-1) === y) continue;
      joined.push(x, y);
    }
  }
  if (joined.length === 0) throw new RangeError("resampleTrajectory: the strokes have no points");
  return Float64Array.from(joined);
}

function resample(line: Float64Array, points: number): Float64Array {
  const count = line.length / 2;
  const lengths = new Float64Array(count); // arc length from the start
  for (let i = 1; i < count; i++) {
    const dx = (line[2 * i] ?? 0) - (line[2 * i - 2] ?? 0);
    const dy = (line[2 * i + 1] ?? 0) - (line[2 * i - 1] ?? 0);
    lengths[i] = (lengths[i - 1] ?? 0) + Math.sqrt(dx * dx + dy * dy);
  }
  const total = lengths[count - 1] ?? 0;
  const out = new Float64Array(2 * points);
  let segment = 0;
  for (let p = 0; p < points; p++) {
    const at = p === points - 1 ? total : (total * p) / (points - 1);
    while (segment < count - 2 && (lengths[segment + 1] ?? 0) < at) segment++;
    const next = Math.min(segment + 1, count - 1);
    const start = lengths[segment] ?? 0;
    const length = (lengths[next] ?? 0) - start;
    const share = length > 0 ? (at - start) / length : 0;
    for (let axis = 0; axis < 2; axis++) {
      const from = line[2 * segment + axis] ?? 0;
      const to = line[2 * next + axis] ?? 0;
      out[2 * p + axis] = share >= 1 ? to : from + (to - from) * share;
    }
  }
  return out;
}

/** Of the resampled points' bounding box. */
function normalise(points: Float64Array): Float32Array {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < points.length; i++) {
    const value = points[i] ?? 0;
    low[i % 2] = Math.min(low[i % 2] ?? 0, value);
    high[i % 2] = Math.max(high[i % 2] ?? 0, value);
  }
  const centre = [0, 1].map((axis) => ((low[axis] ?? 0) + (high[axis] ?? 0)) / 2);
  const half = Math.max((high[0] ?? 0) - (low[0] ?? 0), (high[1] ?? 0) - (low[1] ?? 0)) / 2;
  const out = new Float32Array(points.length);
  for (let i = 0; i < out.length; i++) out[i] = half > 0 ? ((points[i] ?? 0) - (centre[i % 2] ?? 0)) / half : 0;
  return out;
}
