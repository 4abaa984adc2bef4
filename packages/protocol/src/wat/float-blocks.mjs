/**
 * Kernels over short blocks of float32: plain SIMD128. Addresses are multiples of 16; counts are groups of eight floats
 * (a block is padded to whole groups, and what stands in the padding is never read back).
 */

/**
 * Rounds the bits in two locals to bfloat16, nearest with ties to even; the low halves are left unspecified. A NaN, which
 * the addition would turn into an infinity or into a number, is made a quiet one first; there is hardly ever one.
 */
const roundTwo = (a, b) => `
      (if (v128.any_true (v128.or (f32x4.ne (local.get ${a}) (local.get ${a})) (f32x4.ne (local.get ${b}) (local.get ${b}))))
        (then ${[a, b].map(quietNaN).join(" ")}))
      ${[a, b].map(roundOne).join("\n      ")}`;
/** A NaN becomes 0x7fc00000 with its sign: adding 0x8000 at most leaves it a NaN. */
const quietNaN = (x) => `
          (local.set ${x} (v128.bitselect
            (v128.or (v128.and (local.get ${x}) (i32x4.splat (i32.const 0x80000000))) (i32x4.splat (i32.const 0x7fc00000)))
            (local.get ${x})
            (f32x4.ne (local.get ${x}) (local.get ${x}))))`;
const roundOne = (x) => `(local.set ${x} (i32x4.add
        (i32x4.add (local.get ${x}) (local.get $HALF))
        (v128.and (i32x4.shr_u (local.get ${x}) (i32.const 16)) (local.get $ONE))))`;

const constants = `
  (local $a v128) (local $b v128) (local $HALF v128) (local $ONE v128) (local $HIGH v128)
  (local.set $HALF (i32x4.splat (i32.const 0x7fff)))
  (local.set $ONE (i32x4.splat (i32.const 1)))
  (local.set $HIGH (i32x4.splat (i32.const 0xffff0000)))`;

const load = (address) => `(local.set $a (v128.load (local.get ${address})))
      (local.set $b (v128.load offset=16 (local.get ${address})))`;
const storeHigh = (address) => `(v128.store (local.get ${address}) (v128.and (local.get $a) (local.get $HIGH)))
      (v128.store offset=16 (local.get ${address}) (v128.and (local.get $b) (local.get $HIGH)))`;
const storeNarrow = (address) => `(v128.store (local.get ${address})
        (i16x8.narrow_i32x4_u
          (i32x4.shr_u (local.get $a) (i32.const 16))
          (i32x4.shr_u (local.get $b) (i32.const 16))))`;

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

  ;; left := bfloat16(left + right), the sum rounded to float32 first; still as float32
  (func (export "addRounded") (param $left i32) (param $right i32) (param $groups i32)
    ${constants}
    ${loop(
      `(local.set $a (f32x4.add (v128.load (local.get $left)) (v128.load (local.get $right))))
      (local.set $b (f32x4.add (v128.load offset=16 (local.get $left)) (v128.load offset=16 (local.get $right))))
      ${roundTwo("$a", "$b")}
      ${storeHigh("$left")}`,
      [
        ["$left", 32],
        ["$right", 32],
      ],
    )})

  ;; values := bfloat16(values), still as float32
  (func (export "round") (param $values i32) (param $groups i32)
    ${constants}
    ${loop(
      `${load("$values")}
      ${roundTwo("$a", "$b")}
      ${storeHigh("$values")}`,
      [["$values", 32]],
    )})

  ;; out (16 bits each) := bfloat16(values)
  (func (export "pack") (param $values i32) (param $out i32) (param $groups i32)
    ${constants}
    ${loop(
      `${load("$values")}
      ${roundTwo("$a", "$b")}
      ${storeNarrow("$out")}`,
      [
        ["$values", 32],
        ["$out", 16],
      ],
    )})

  ;; out (16 bits each) := the upper halves of values, which are rounded
  (func (export "narrow") (param $values i32) (param $out i32) (param $groups i32)
    (local $a v128) (local $b v128)
    ${loop(
      `${load("$values")}
      ${storeNarrow("$out")}`,
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
