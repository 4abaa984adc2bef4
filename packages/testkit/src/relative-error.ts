/**
 * ‖a - reference‖₂ / ‖reference‖₂ in float64: the project's measure of a tensor's error. 0 when both are zero.
 *
 * @throws {RangeError} when the lengths differ
 */
export function relativeError(a: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (a.length !== reference.length) {
    throw new RangeError(`relativeError: ${a.length} values against ${reference.length}`);
  }
  let difference = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    const r = reference[i] ?? 0;
    difference += ((a[i] ?? 0) - r) ** 2;
    size += r ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
