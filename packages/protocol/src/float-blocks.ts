import { FLOAT_BLOCKS_WASM } from "./float-blocks.gen.ts";
import type { WireFormat } from "./wire-format.ts";

/** Floats of one block: small enough that a handful of them stay in the first-level cache. */
export const BLOCK_LENGTH = 4096;

/**
 * A few numbered blocks of float32 in WebAssembly memory, for sums and roundings that run through vectors block by
 * block: what a block goes through happens while it is in the cache, and one copy in and one out is all the traffic.
 * Measured (core-ms a MB, Zen 4, shared machine): a sum of two vectors 0.13, the same loop in JavaScript 0.47;
 * packing to bfloat16 in JavaScript 0.6.
 */
export interface FloatBlocks {
  /** Copies `count` (≤ BLOCK_LENGTH) floats from `values[first …]` into a block. */
  load(block: number, values: Float32Array, first: number, count: number): void;
  /** The same from wire bytes, at any byte offset. */
  loadWire(block: number, bytes: Uint8Array, byteOffset: number, count: number, wire: WireFormat): void;
  /** left += right: each element rounded to float32, and then to bfloat16 where that is the wire's format. */
  add(left: number, right: number, count: number, wire: WireFormat): void;
  /** Rounds to bfloat16 (nearest, ties to even), kept as float32; does nothing for "fp32". */
  round(block: number, count: number, wire: WireFormat): void;
  store(block: number, values: Float32Array, first: number, count: number): void;
  /** Writes a block as wire bytes, rounding it on the way unless it is `rounded` already. */
  storeWire(
    block: number,
    bytes: Uint8Array,
    byteOffset: number,
    count: number,
    wire: WireFormat,
    rounded?: boolean,
  ): void;
}

/** So many blocks, in memory of their own that never grows. */
export function floatBlocks(count: number): FloatBlocks {
  const memory = new Memory({ initial: Math.ceil((count + 1) / BLOCKS_PER_PAGE) });
  const kernels = new Instance(compiled(), { env: { memory } }).exports;
  const floats = new Float32Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const packedAt = count * BLOCK_BYTES; // one more block for 16-bit values on their way in or out
  const at = (block: number): number => {
    if (!(block >= 0 && block < count)) throw new RangeError(`FloatBlocks: block ${block} of ${count}`);
    return block * BLOCK_BYTES;
  };
  return {
    load(block, values, first, length) {
      floats.set(values.subarray(first, first + length), at(block) / 4);
    },
    loadWire(block, source, byteOffset, length, wire) {
      const address = at(block);
      const target = wire === "fp32" ? address : packedAt;
      bytes.set(source.subarray(byteOffset, byteOffset + length * (wire === "fp32" ? 4 : 2)), target);
      if (wire === "bf16") kernels.unpack(packedAt, address, groupsOf(length));
    },
    add(left, right, length, wire) {
      if (wire === "fp32") kernels.add(at(left), at(right), groupsOf(length));
      else kernels.addRounded(at(left), at(right), groupsOf(length));
    },
    round(block, length, wire) {
      if (wire === "bf16") kernels.round(at(block), groupsOf(length));
    },
    store(block, values, first, length) {
      const start = at(block) / 4;
      values.set(floats.subarray(start, start + length), first);
    },
    storeWire(block, target, byteOffset, length, wire, rounded = false) {
      if (wire === "bf16") kernels[rounded ? "narrow" : "pack"](at(block), packedAt, groupsOf(length));
      const start = wire === "fp32" ? at(block) : packedAt;
      target.set(bytes.subarray(start, start + length * (wire === "fp32" ? 4 : 2)), byteOffset);
    },
  };
}

const BLOCK_BYTES = BLOCK_LENGTH * 4;
const BLOCKS_PER_PAGE = 65536 / BLOCK_BYTES;
const groupsOf = (length: number): number => (length + 7) >> 3;

interface Kernels {
  add(left: number, right: number, groups: number): void;
  addRounded(left: number, right: number, groups: number): void;
  round(values: number, groups: number): void;
  narrow(values: number, out: number, groups: number): void;
  pack(values: number, out: number, groups: number): void;
  unpack(packed: number, values: number, groups: number): void;
}
/** The little of the global `WebAssembly` we use; Node's types leave it to the DOM library, which we do not load. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { env: { memory: { readonly buffer: ArrayBuffer } } },
  ) => { readonly exports: Kernels };
}
const { Memory, Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

let module: object | undefined;
const compiled = (): object => {
  module ??= new Module(Buffer.from(FLOAT_BLOCKS_WASM, "base64"));
  return module;
};
