/**
 * An order of points in which every run of `chunk` of them lies close together: halves along the direction in which a
 * group spreads most, again and again. A pure function of the points.
 *
 * @param points  [n, dim]
 * @returns [n] the index of the point at each place
 */
export function spatialOrder(points: Float64Array, dim: number, chunk: number): Uint32Array {
  const order = Uint32Array.from({ length: points.length / dim }, (_, i) => i);
  const values = new Float64Array(order.length);
  const open: (readonly [start: number, end: number])[] = [[0, order.length]];
  for (let group = open.pop(); group; group = open.pop()) {
    const [start, end] = group;
    if (end - start <= chunk) continue;
    const members = order.subarray(start, end);
    const direction = widestDirection(points, dim, members);
    sortBy(members, values, (point) => dot(points, point * dim, direction));
    const middle = start + Math.floor(Math.ceil((end - start) / chunk) / 2) * chunk;
    open.push([start, middle], [middle, end]);
  }
  return order;
}

const POWER_STEPS = 4;

/** A direction near the first principal one: a few power steps from the farthest member. */
function widestDirection(points: Float64Array, dim: number, members: Uint32Array): Float64Array {
  const mean = new Float64Array(dim);
  for (const point of members) addScaled(mean, points, point * dim, 1 / members.length);
  let direction = towardsFarthest(points, dim, members, mean);
  for (let step = 0; step < POWER_STEPS; step++) {
    const along = dot(mean, 0, direction);
    const next = new Float64Array(dim); // Σ (point - mean) times its place along the direction
    let total = 0;
    for (const point of members) {
      const place = dot(points, point * dim, direction) - along;
      addScaled(next, points, point * dim, place);
      total += place;
    }
    addScaled(next, mean, 0, -total);
    const length = Math.sqrt(dot(next, 0, next));
    if (!(length > 0)) break;
    direction = next.map((value) => value / length);
  }
  return direction;
}

function towardsFarthest(points: Float64Array, dim: number, members: Uint32Array, mean: Float64Array): Float64Array {
  let farthest = members[0] ?? 0;
  let largest = -1;
  for (const point of members) {
    let squared = 0;
    for (let k = 0; k < dim; k++) squared += ((points[point * dim + k] ?? 0) - (mean[k] ?? 0)) ** 2;
    if (squared > largest) {
      largest = squared;
      farthest = point;
    }
  }
  return mean.map((value, k) => (points[farthest * dim + k] ?? 0) - value);
}

/** Sorts indices by a value of each, equal values by index; `values` is scratch, a place for every index. */
function sortBy(members: Uint32Array, values: Float64Array, measure: (member: number) => number): void {
  for (const member of members) values[member] = measure(member);
  members.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
}

function dot(values: Float64Array, start: number, direction: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < direction.length; k++) sum += (values[start + k] ?? 0) * (direction[k] ?? 0);
  return sum;
}

function addScaled(target: Float64Array, values: Float64Array, start: number, factor: number): void {
  for (let k = 0; k < target.length; k++) target[k] = (target[k] ?? 0) + (values[start + k] ?? 0) * factor;
}
