import type { FloatBlocks } from "./float-blocks.ts";
import { BLOCK_LENGTH, floatBlocks } from "./float-blocks.ts";
import type { WireFormat } from "./wire-format.ts";
import { wireBytes } from "./wire-format.ts";

/** left += right in place, a node of the tree: each element rounded to float32, and to bfloat16 where that is the wire's format. */
export function addVectors(left: Float32Array, right: Float32Array, wire: WireFormat): void {
  const blocks = sharedBlocks();
  for (let first = 0; first < left.length; first += BLOCK_LENGTH) {
    const count = Math.min(BLOCK_LENGTH, left.length - first);
    blocks.load(0, left, first, count);
    blocks.load(1, right, first, count);
    blocks.add(0, 1, count, wire);
    blocks.store(0, left, first, count);
  }
}

/** Rounds in place to what the wire carries: nothing for "fp32", nearest (ties to even) for "bf16". Rounding twice changes nothing. */
export function roundVector(values: Float32Array, wire: WireFormat): void {
  if (wire === "fp32") return;
  const blocks = sharedBlocks();
  for (let first = 0; first < values.length; first += BLOCK_LENGTH) {
    const count = Math.min(BLOCK_LENGTH, values.length - first);
    blocks.load(0, values, first, count);
    blocks.round(0, count, wire);
    blocks.store(0, values, first, count);
  }
}

/** Writes `values[first … first + count)` as wire bytes at `bytes[byteOffset …]`. */
export function packVector(
  values: Float32Array,
  first: number,
  count: number,
  wire: WireFormat,
  bytes: Uint8Array,
  byteOffset: number,
): void {
  if (wire === "fp32") {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset + first * 4, count * 4), byteOffset);
    return;
  }
  const blocks = sharedBlocks();
  for (let done = 0; done < count; done += BLOCK_LENGTH) {
    const length = Math.min(BLOCK_LENGTH, count - done);
    blocks.load(0, values, first + done, length);
    blocks.storeWire(0, bytes, byteOffset + done * wireBytes(wire), length, wire);
  }
}

/** Reads `count` numbers from wire bytes into `values[first …]`; the bytes may stand at any offset. */
export function unpackVector(
  bytes: Uint8Array,
  byteOffset: number,
  count: number,
  wire: WireFormat,
  values: Float32Array,
  first: number,
): void {
  if (wire === "fp32") {
    const target = new Uint8Array(values.buffer, values.byteOffset + first * 4, count * 4);
    target.set(bytes.subarray(byteOffset, byteOffset + count * 4));
    return;
  }
  const blocks = sharedBlocks();
  for (let done = 0; done < count; done += BLOCK_LENGTH) {
    const length = Math.min(BLOCK_LENGTH, count - done);
    blocks.loadWire(0, bytes, byteOffset + done * wireBytes(wire), length, wire);
    blocks.store(0, values, first + done, length);
  }
}

let shared: FloatBlocks | undefined;
/** Two blocks a thread: nothing here is suspended between load and store. */
const sharedBlocks = (): FloatBlocks => {
  shared ??= floatBlocks(2);
  return shared;
};
