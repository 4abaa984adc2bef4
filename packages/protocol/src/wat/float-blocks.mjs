/**
 * Kernels over short blocks of float32: plain SIMD128. Addresses are multiples of 16; counts are groups of eight floats
 * (a block is padded to whole groups, and what stands in the padding is never read back).
 */

/** [4] float32 bits rounded to bfloat16 (nearest, ties to even), as 32 bits with the low half unspecified; a NaN stays one. */
const rounded = (bits) => `
  (v128.bitselect
    (v128.or (local.get ${bits}) (local.get $QUIET))
    (i32x4.add
      (i32x4.add (local.get ${bits}) (local.get $HALF))
      (v128.and (i32x4.shr_u (local.get ${bits}) (i32.const 16)) (local.get $ONE)))
    (i32x4.gt_s (v128.and (local.get ${bits}) (local.get $MAGNITUDE)) (local.get $INFINITY)))`;

const constants = `
  (local $HALF v128) (local $ONE v128) (local $MAGNITUDE v128) (local $INFINITY v128) (local $QUIET v128)
  (local.set $HALF (i32x4.splat (i32.const 0x7fff)))
  (local.set $ONE (i32x4.splat (i32.const 1)))
  (local.set $MAGNITUDE (i32x4.splat (i32.const 0x7fffffff)))
  (local.set $INFINITY (i32x4.splat (i32.const 0x7f800000)))
  (local.set $QUIET (i32x4.splat (i32.const 0x00400000)))`;

const loop = (body, steps) => `
  (block $done
    (loop $next
      (br_if $done (i32.eqz (local.get $groups)))
      ${body}
      ${steps
        .map(([address, bytes]) => `(local.set ${address} (i32.add (local.get ${address}) (i32.const ${bytes})))`)
        .join("\n      ")}
      (local.set $groups (i32.sub (local.get $groups) (i32.const 1)))
      (br $next)))`;

export const floatBlocksWat = () => `
(module
  (import "env" "memory" (memory 1))

  ;; left += right, each element rounded to float32
  (func (export "add") (param $left i32) (param $right i32) (param $groups i32)
    ${loop(
      `(v128.store (local.get $left) (f32x4.add (v128.load (local.get $left)) (v128.load (local.get $right))))
      (v128.store offset=16 (local.get $left)
        (f32x4.add (v128.load offset=16 (local.get $left)) (v128.load offset=16 (local.get $right))))`,
      [
        ["$left", 32],
        ["$right", 32],
      ],
    )})

  ;; values := bfloat16(values), still as float32
  (func (export "round") (param $values i32) (param $groups i32)
    (local $a v128) (local $b v128) (local $HIGH v128)
    ${constants}
    (local.set $HIGH (i32x4.splat (i32.const 0xffff0000)))
    ${loop(
      `(local.set $a (v128.load (local.get $values)))
      (local.set $b (v128.load offset=16 (local.get $values)))
      (v128.store (local.get $values) (v128.and ${rounded("$a")} (local.get $HIGH)))
      (v128.store offset=16 (local.get $values) (v128.and ${rounded("$b")} (local.get $HIGH)))`,
      [["$values", 32]],
    )})

  ;; out (16 bits each) := bfloat16(values)
  (func (export "pack") (param $values i32) (param $out i32) (param $groups i32)
    (local $a v128) (local $b v128)
    ${constants}
    ${loop(
      `(local.set $a (v128.load (local.get $values)))
      (local.set $b (v128.load offset=16 (local.get $values)))
      (v128.store (local.get $out)
        (i16x8.narrow_i32x4_u
          (i32x4.shr_u ${rounded("$a")} (i32.const 16))
          (i32x4.shr_u ${rounded("$b")} (i32.const 16))))`,
      [
        ["$values", 32],
        ["$out", 16],
      ],
    )})

  ;; values := float32 of the 16 bits each of packed
  (func (export "unpack") (param $packed i32) (param $values i32) (param $groups i32)
    (local $h v128)
    ${loop(
      `(local.set $h (v128.load (local.get $packed)))
      (v128.store (local.get $values)
        (i32x4.shl (i32x4.extend_low_i16x8_u (local.get $h)) (i32.const 16)))
      (v128.store offset=16 (local.get $values)
        (i32x4.shl (i32x4.extend_high_i16x8_u (local.get $h)) (i32.const 16)))`,
      [
        ["$packed", 16],
        ["$values", 32],
      ],
    )}))
`;
