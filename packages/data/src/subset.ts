/**
 * A copy of the sample numbers in memory that threads share.
 *
 * @throws {RangeError} when a number is not a sample of the split
 */
export function prepareSubset(subset: Uint32Array, samples: number): Uint32Array {
  const bad = subset.find((index) => index >= samples);
  if (bad !== undefined) throw new RangeError(`subset: sample ${bad} of a split of ${samples} samples`);
  const shared = new Uint32Array(new SharedArrayBuffer(subset.byteLength));
  shared.set(subset);
  return shared;
}
