/**
 * Points on their first two principal components, [n, 2]: centred, most spread first. Signs are chosen so that each
 * component's largest coordinate is positive.
 *
 * @param points  [n, dim]
 */
export function principalComponents(points: Float32Array, dim: number): Float64Array {
  const count = points.length / dim;
  const mean = meanOf(points, dim);
  const covariance = covarianceOf(points, mean);
  const axes = leadingAxes(covariance, dim, Math.min(2, dim));
  const projected = new Float64Array(count * 2);
  for (let point = 0; point < count; point++) {
    axes.forEach((axis, component) => {
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += ((points[point * dim + k] ?? 0) - (mean[k] ?? 0)) * (axis[k] ?? 0);
      projected[point * 2 + component] = sum;
    });
  }
  return projected;
}

function meanOf(points: Float32Array, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  points.forEach((value, i) => {
    mean[i % dim] = (mean[i % dim] ?? 0) + value;
  });
  return mean.map((sum) => sum / (points.length / dim));
}

/** [dim, dim], not divided by the number of points. */
function covarianceOf(points: Float32Array, mean: Float64Array): Float64Array {
  const dim = mean.length;
  const covariance = new Float64Array(dim * dim);
  const row = new Float64Array(dim);
  for (let start = 0; start < points.length; start += dim) {
    for (let k = 0; k < dim; k++) row[k] = (points[start + k] ?? 0) - (mean[k] ?? 0);
    for (let i = 0; i < dim; i++) {
      const value = row[i] ?? 0;
      for (let j = 0; j < dim; j++) covariance[i * dim + j] = (covariance[i * dim + j] ?? 0) + value * (row[j] ?? 0);
    }
  }
  return covariance;
}

/** Unit eigenvectors of the largest eigenvalues of a symmetric matrix, by Jacobi's rotations. */
function leadingAxes(matrix: Float64Array, dim: number, wanted: number): Float64Array[] {
  const values = Float64Array.from(matrix);
  const vectors = Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0)); // columns
  for (let sweep = 0; sweep < 60 && offDiagonal(values, dim) > 1e-24 * trace(values, dim) ** 2; sweep++) {
    for (let p = 0; p < dim; p++) for (let q = p + 1; q < dim; q++) rotate(values, vectors, dim, p, q);
  }
  const order = Array.from({ length: dim }, (_, i) => i);
  order.sort((a, b) => (values[b * dim + b] ?? 0) - (values[a * dim + a] ?? 0) || a - b);
  return order
    .slice(0, wanted)
    .map((column) => signed(Float64Array.from({ length: dim }, (_, k) => vectors[k * dim + column] ?? 0)));
}

function rotate(values: Float64Array, vectors: Float64Array, dim: number, p: number, q: number): void {
  const off = values[p * dim + q] ?? 0;
  if (off === 0) return;
  const theta = ((values[q * dim + q] ?? 0) - (values[p * dim + p] ?? 0)) / (2 * off);
  const tangent = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  turn(values, dim, p, q, cosine, sine);
  for (let k = 0; k < dim; k++) {
    const a = values[p * dim + k] ?? 0;
    const b = values[q * dim + k] ?? 0;
    values[p * dim + k] = cosine * a - sine * b;
    values[q * dim + k] = sine * a + cosine * b;
  }
  turn(vectors, dim, p, q, cosine, sine);
}

/** Turns columns p and q of a matrix. */
function turn(matrix: Float64Array, dim: number, p: number, q: number, cosine: number, sine: number): void {
  for (let k = 0; k < dim * dim; k += dim) {
    const a = matrix[k + p] ?? 0;
    const b = matrix[k + q] ?? 0;
    matrix[k + p] = cosine * a - sine * b;
    matrix[k + q] = sine * a + cosine * b;
  }
}

function offDiagonal(matrix: Float64Array, dim: number): number {
  return matrix.reduce((sum, value, i) => (i % (dim + 1) === 0 ? sum : sum + value * value), 0);
}

function trace(matrix: Float64Array, dim: number): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += matrix[i * (dim + 1)] ?? 0;
  return sum;
}

function signed(axis: Float64Array): Float64Array {
  const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return largest < 0 ? axis.map((value) => -value) : axis;
}
