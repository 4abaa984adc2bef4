/**
 * Kernels of the exact contrastive loss, all in float64 with plain SIMD128 (two lanes): similarities of float32 rows are
 * then exact to 1e-16, which a temperature of 0.01 and a loss near zero both need (docs/0002-contrastive-loss.md).
 *
 * Layout, with B8 and d8 the batch and the width rounded up to multiples of 8 (padding stays zero):
 *   z        [sets, B, d]          float32, as given
 *   panels   [sets, B8/8, d, 8]    float64: 8 rows side by side, the columns of a similarity product
 *   slices   [sets, d8/8, B8, 8]   float64: 8 coordinates side by side, the columns of a weighted sum of rows
 *   own      [16, d]               float64: the rows of the open tile
 *   tile     [16, 64]              float64: similarities, then weights
 *   sum      [rows, d8]            float64: weighted sums, one for each row of the range
 * Addresses are in bytes. One `tile` row is 512 bytes, one entry of a panel or a slice 64.
 */

const TILE_ROW_BYTES = 512;

const splat = (value) => `(v128.const f64x2 ${value} ${value})`;

// exp(x) = 2^n * 2^f with t = x / ln 2, n = round(t), f = t - n exactly, |f| <= 1/2. Rounding t costs |x| * 1e-16 of the
// result. The Taylor polynomial of degree 11 is within 7e-15; it is evaluated in pairs, pairs of pairs (Estrin), because
// a chain of eleven steps waits for itself: 2.9 against 1.2 ns. Adding 1.5 * 2^52 leaves n in the low bits, and shifting
// those to the exponent's place multiplies by 2^n. Below -600 the result stays exp(-600): nothing beside a term near 1,
// and far from subnormal numbers, which are slow. NaN stays NaN. For x <= 709.
const ROUND = 1.5 * 2 ** 52;
const TAYLOR = [1];
for (let k = 1; k <= 11; k++) TAYLOR.push((TAYLOR[k - 1] * Math.LN2) / k);

const EXP_LOCALS = (streams) =>
  range(streams)
    .flatMap((i) => ["P", "Q", "S", "N", "F", "F2", "F4"].map((name) => `(local $${name}${i} v128)`))
    .join(" ");
/** Statements that leave exp of the f64x2 expressions `xs` in $P0, $P1, ...; two streams hide each other's waits (more spill). */
const exp = (xs) => {
  const all = (statement) => xs.map((_, i) => statement(i)).join("\n  ");
  const set = (name, value) => all((i) => `(local.set $${name}${i} ${value(i)})`);
  const get = (name) => (i) => `(local.get $${name}${i})`;
  const add = (a, b) => (i) => `(f64x2.add ${a(i)} ${b(i)})`;
  const sub = (a, b) => (i) => `(f64x2.sub ${a(i)} ${b(i)})`;
  const mul = (a, b) => (i) => `(f64x2.mul ${a(i)} ${b(i)})`;
  const number = (value) => () => splat(value);
  const pair = (k) => add(number(TAYLOR[k]), mul(number(TAYLOR[k + 1]), get("F")));
  return [
    set(
      "F",
      mul((i) => `(f64x2.pmax ${xs[i]} ${splat(-600)})`, number(Math.LOG2E)),
    ),
    set("N", add(get("F"), number(ROUND))),
    set("F", sub(get("F"), sub(get("N"), number(ROUND)))),
    set("F2", mul(get("F"), get("F"))),
    set("P", add(pair(0), mul(pair(2), get("F2")))),
    set("Q", add(pair(4), mul(pair(6), get("F2")))),
    set("S", add(pair(8), mul(pair(10), get("F2")))),
    set("F4", mul(get("F2"), get("F2"))),
    set("Q", add(get("Q"), mul(get("S"), get("F4")))),
    set("P", add(get("P"), mul(get("Q"), get("F4")))),
    set("P", (i) => `(i64x2.add (local.get $P${i}) (i64x2.shl (local.get $N${i}) (i32.const 52)))`),
  ].join("\n  ");
};

const range = (n) => Array.from({ length: n }, (_, i) => i);
const step = (local, bytes) => `(local.set ${local} (i32.add (local.get ${local}) (i32.const ${bytes})))`;
const stepBy = (local, by) => `(local.set ${local} (i32.add (local.get ${local}) (local.get ${by})))`;
const lanesSum = (v) => `(f64.add (f64x2.extract_lane 0 ${v}) (f64x2.extract_lane 1 ${v}))`;
/** Runs `body` while the counter is above zero, taking `by` off at every turn. The test is at the end: V8 makes more of that. */
const whileAbove = (counter, by, body) => `
  (block $done${counter.slice(1)}
    (br_if $done${counter.slice(1)} (i32.le_s (local.get ${counter}) (i32.const 0)))
    (loop $next${counter.slice(1)}
    ${body}
    (br_if $next${counter.slice(1)} (i32.gt_s
      (local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const ${by}))) (i32.const 0)))))`;

export const contrastiveWat = () => `
(module
  (import "env" "memory" (memory 1))

  ;; One set's rows from float32 into panels and slices.
  (func (export "pack")
    (param $z i32) (param $panels i32) (param $slices i32) (param $batch i32) (param $width i32) (param $sliceBytes i32)
    (local $row i32) (local $k i32) (local $panel i32) (local $slice i32) (local $value f64)
    (block $done (loop $nextRow
      (br_if $done (i32.ge_u (local.get $row) (local.get $batch)))
      ;; panel: row/8 of them before it, each width * 64 bytes; the row's place in it is row % 8
      (local.set $panel (i32.add (local.get $panels) (i32.add
        (i32.mul (i32.shr_u (local.get $row) (i32.const 3)) (i32.shl (local.get $width) (i32.const 6)))
        (i32.shl (i32.and (local.get $row) (i32.const 7)) (i32.const 3)))))
      (local.set $slice (i32.add (local.get $slices) (i32.shl (local.get $row) (i32.const 6))))
      (local.set $k (i32.const 0))
      (block $rowDone (loop $nextValue
        (br_if $rowDone (i32.ge_u (local.get $k) (local.get $width)))
        (local.set $value (f64.promote_f32 (f32.load (local.get $z))))
        (f64.store (local.get $panel) (local.get $value))
        (f64.store (local.get $slice) (local.get $value))
        ${step("$z", 4)}
        ${step("$panel", 64)}
        ${step("$k", 1)}
        ;; the next coordinate of the slice, or the next slice after eight
        (if (i32.and (local.get $k) (i32.const 7))
          (then ${step("$slice", 8)})
          (else (local.set $slice (i32.sub (i32.add (local.get $slice) (local.get $sliceBytes)) (i32.const 56)))))
        (br $nextValue)))
      ${step("$row", 1)}
      (br $nextRow))))

  ;; count float32 values at z to float64 at own.
  (func (export "promote") (param $z i32) (param $own i32) (param $count i32)
    ${whileAbove(
      "$count",
      1,
      `(f64.store (local.get $own) (f64.promote_f32 (f32.load (local.get $z))))
      ${step("$z", 4)} ${step("$own", 8)}`,
    )})

  ;; c (+)= a b for 2*pairs rows and 8*groups columns. a is [rows, depth] with rows aRow bytes apart; b is, for each
  ;; group of columns (bGroup bytes apart), [depth, 8]; c's rows are cRow bytes apart. Every element is one sum over the
  ;; depth in order, from 0 or (keep) from what c holds: its bits depend on neither the rows beside it nor the tiles.
  (func (export "product")
    (param $a i32) (param $aRow i32) (param $b i32) (param $bGroup i32) (param $c i32) (param $cRow i32)
    (param $pairs i32) (param $groups i32) (param $depth i32) (param $keep i32)
    (local $a0 i32) (local $a1 i32) (local $bk i32) (local $c0 i32) (local $c1 i32) (local $pair i32) (local $k i32)
    (local $A0 v128) (local $A1 v128) (local $B v128)
    ${range(8)
      .map((i) => `(local $S${i} v128)`)
      .join(" ")} ;; row 0: S0..S3, row 1: S4..S7
    ${whileAbove(
      "$groups",
      1,
      `
      (local.set $a0 (local.get $a))
      (local.set $c0 (local.get $c))
      (local.set $pair (local.get $pairs))
      ${whileAbove(
        "$pair",
        1,
        `
        (local.set $a1 (i32.add (local.get $a0) (local.get $aRow)))
        (local.set $c1 (i32.add (local.get $c0) (local.get $cRow)))
        (local.set $bk (local.get $b))
        (if (local.get $keep)
          (then ${range(8)
            .map((i) => `(local.set $S${i} (v128.load offset=${(i % 4) * 16} (local.get $c${i >> 2})))`)
            .join("\n            ")})
          (else ${range(8)
            .map((i) => `(local.set $S${i} ${splat("0")})`)
            .join("\n            ")}))
        (local.set $k (local.get $depth))
        ${whileAbove(
          "$k",
          1,
          `
          (local.set $A0 (v128.load64_splat (local.get $a0)))
          (local.set $A1 (v128.load64_splat (local.get $a1)))
          ${range(4)
            .map(
              (j) => `(local.set $B (v128.load offset=${j * 16} (local.get $bk)))
          (local.set $S${j} (f64x2.add (local.get $S${j}) (f64x2.mul (local.get $A0) (local.get $B))))
          (local.set $S${j + 4} (f64x2.add (local.get $S${j + 4}) (f64x2.mul (local.get $A1) (local.get $B))))`,
            )
            .join("\n          ")}
          ${step("$a0", 8)} ${step("$a1", 8)} ${step("$bk", 64)}`,
        )}
        ${range(8)
          .map((i) => `(v128.store offset=${(i % 4) * 16} (local.get $c${i >> 2}) (local.get $S${i}))`)
          .join("\n        ")}
        ;; the loop left a0 one row further; the next pair is one more
        (local.set $a0 (i32.add (i32.sub (local.get $a1) (i32.shl (local.get $depth) (i32.const 3))) (local.get $aRow)))
        (local.set $c0 (i32.add (local.get $c1) (local.get $cRow)))`,
      )}
      ${stepBy("$b", "$bGroup")}
      ${step("$c", 64)}`,
    )})

  ;; Running log-sum-exp over the columns of a tile, for each of its rows: largest and total are [rows], and afterwards
  ;; total = sum over all columns so far of exp(similarity * inverseTemperature - largest). columns is a multiple of 8.
  (func (export "extendLogSumExp")
    (param $tile i32) (param $rows i32) (param $columns i32) (param $inverseTemperature f64)
    (param $largest i32) (param $total i32)
    (local $s i32) (local $column i32) (local $before f64) (local $peak f64)
    (local $SCALE v128) (local $PEAK v128) ${range(4)
      .map((i) => `(local $T${i} v128)`)
      .join(" ")} ${EXP_LOCALS(2)}
    (local.set $SCALE (f64x2.splat (local.get $inverseTemperature)))
    ${whileAbove(
      "$rows",
      1,
      `
      (local.set $PEAK (v128.load (local.get $tile)))
      (local.set $s (local.get $tile))
      (local.set $column (local.get $columns))
      ${whileAbove(
        "$column",
        2,
        `(local.set $PEAK (f64x2.pmax (local.get $PEAK) (v128.load (local.get $s))))
        ${step("$s", 16)}`,
      )}
      (local.set $before (f64.load (local.get $largest)))
      (local.set $peak (f64.max (local.get $before) (f64.mul (local.get $inverseTemperature)
        (f64.max (f64x2.extract_lane 0 (local.get $PEAK)) (f64x2.extract_lane 1 (local.get $PEAK))))))
      (local.set $PEAK (f64x2.splat (local.get $peak)))
      ${range(4)
        .map((i) => `(local.set $T${i} ${splat("0")})`)
        .join(" ")}
      (local.set $s (local.get $tile))
      (local.set $column (local.get $columns))
      ${whileAbove(
        "$column",
        8,
        `${[0, 2]
          .map((first) => {
            const scaled = (i) =>
              `(f64x2.mul (v128.load offset=${(first + i) * 16} (local.get $s)) (local.get $SCALE))`;
            const added = (i) => `(local.set $T${first + i} (f64x2.add (local.get $T${first + i}) (local.get $P${i})))`;
            return `${exp(range(2).map((i) => `(f64x2.sub ${scaled(i)} (local.get $PEAK))`))}
        ${range(2).map(added).join("\n        ")}`;
          })
          .join("\n        ")}
        ${step("$s", 64)}`,
      )}
      (local.set $T0 (f64x2.add
        (f64x2.add (local.get $T0) (local.get $T1)) (f64x2.add (local.get $T2) (local.get $T3))))
      (f64.store (local.get $total) (f64.add
        (f64.mul (f64.load (local.get $total)) (call $exp (f64.sub (local.get $before) (local.get $peak))))
        ${lanesSum("(local.get $T0)")}))
      (f64.store (local.get $largest) (local.get $peak))
      ${step("$largest", 8)} ${step("$total", 8)} ${step("$tile", TILE_ROW_BYTES)}`,
    )})

  ;; Similarities of a tile become weights: exp(x - own[row]) + exp(x - other[column]), x = similarity * inverseTemperature.
  (func (export "weigh")
    (param $tile i32) (param $rows i32) (param $columns i32) (param $inverseTemperature f64)
    (param $own i32) (param $other i32)
    (local $s i32) (local $o i32) (local $column i32)
    (local $SCALE v128) (local $OWN v128) ${EXP_LOCALS(2)}
    (local.set $SCALE (f64x2.splat (local.get $inverseTemperature)))
    ${whileAbove(
      "$rows",
      1,
      `
      (local.set $OWN (v128.load64_splat (local.get $own)))
      (local.set $s (local.get $tile))
      (local.set $o (local.get $other))
      (local.set $column (local.get $columns))
      ${whileAbove(
        "$column",
        2,
        `${exp([
          "(f64x2.sub (f64x2.mul (v128.load (local.get $s)) (local.get $SCALE)) (local.get $OWN))",
          "(f64x2.sub (f64x2.mul (v128.load (local.get $s)) (local.get $SCALE)) (v128.load (local.get $o)))",
        ])}
        (v128.store (local.get $s) (f64x2.add (local.get $P0) (local.get $P1)))
        ${step("$s", 16)} ${step("$o", 16)}`,
      )}
      ${step("$own", 8)} ${step("$tile", TILE_ROW_BYTES)}`,
    )})

  (func $exp (export "exp") (param $x f64) (result f64)
    ${EXP_LOCALS(1)}
    ${exp(["(f64x2.splat (local.get $x))"])}
    (f64x2.extract_lane 0 (local.get $P0)))

  ;; log(x) of a positive normal number: x = 2^n * y with y in [0.707, 1.414), q = (y - 1)/(y + 1), |q| <= 0.1716,
  ;; log y = 2 (q + q^3/3 + q^5/5 + ...), to q^21. 0 gives a number near -709; infinity and NaN give NaN (by x - x).
  (func (export "log") (param $x f64) (result f64)
    (local $bits i64) (local $n i64) (local $y f64) (local $q f64) (local $square f64)
    (local.set $bits (i64.reinterpret_f64 (local.get $x)))
    ;; bits of sqrt(1/2) are 0x3fe6a09e667f3bcd: what is above them, in whole exponents, is n
    (local.set $n (i64.shr_s (i64.sub (local.get $bits) (i64.const 0x3fe6a09e667f3bcd)) (i64.const 52)))
    (local.set $y (f64.reinterpret_i64 (i64.sub (local.get $bits) (i64.shl (local.get $n) (i64.const 52)))))
    (local.set $q (f64.div (f64.sub (local.get $y) (f64.const 1)) (f64.add (local.get $y) (f64.const 1))))
    (local.set $square (f64.mul (local.get $q) (local.get $q)))
    (local.set $y (f64.const ${1 / 21}))
    ${[19, 17, 15, 13, 11, 9, 7, 5, 3, 1]
      .map((k) => `(local.set $y (f64.add (f64.mul (local.get $y) (local.get $square)) (f64.const ${1 / k})))`)
      .join("\n    ")}
    (f64.add
      (f64.mul (f64.convert_i64_s (local.get $n)) (f64.const 0.69314718055994531))
      (f64.add
        (f64.mul (f64.mul (f64.const 2) (local.get $q)) (local.get $y))
        (f64.sub (local.get $x) (local.get $x)))))
)
`;
