/** How numbers travel: as they are, or rounded to bfloat16 (8 bits of mantissa) at half the bytes. */
export type WireFormat = "fp32" | "bf16";

/** Bytes of one number on the wire. */
export const wireBytes = (wire: WireFormat): number => (wire === "fp32" ? 4 : 2);
