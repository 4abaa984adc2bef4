/**
 * Kernels of the random-line search for Delaunay neighbours, in float64 with plain SIMD128 (two lanes).
 *
 * Sites lie in chunks of C = 32 that are close to each other; the last chunk is filled up with copies of its first site.
 *   panels   [chunks·C/8, d, 8]      float64: the coordinates of eight sites side by side, read from end to end
 *   lines    [L, d]                  float64: unit directions u
 *   shadows  [L, chunks·C]           float64: u·y of every site y
 *   spans    [L, chunks8, 2]         float64: largest u·y of the chunk and minus the smallest; chunks8 is the number of
 *                                    chunks rounded up to whole blocks of 8, what is not there has -inf
 *   wide     [L, chunks8/8 + 1, 2]   float64: the same of each block of 8 chunks, then of all sites
 *   inverse  [chunks·C] for one x    float64: 1/‖y-x‖², 0 for x itself and for the filling
 *   near     [chunks] for one x      float64: largest `inverse` of the chunk
 *   blocks   [chunks8/8] for one x   records of 16 bytes, nearest block first: near (float64), offset of its wide span (i32)
 *   order    [chunks8] for one x     records of 16 bytes, block by block, nearest chunk of a block first: near (float64),
 *                                    offset of the chunk's span (i32), offset of its sites (i32)
 *   hits     [chunks·C] for one x    uint16: how often a line through x met site y first
 * Addresses are in bytes.
 */

export const CHUNK_SITES = 32;
export const BLOCK_CHUNKS = 8;

const CHUNK_BYTES = CHUNK_SITES * 8;
const range = (n) => Array.from({ length: n }, (_, i) => i);
const BLOCK = range(BLOCK_CHUNKS);
const locals = (names, type) => names.map((name) => `(local $${name} ${type})`).join(" ");
const step = (local, bytes) => `(local.set ${local} (i32.add (local.get ${local}) (i32.const ${bytes})))`;
const stepBy = (local, by) => `(local.set ${local} (i32.add (local.get ${local}) (local.get ${by})))`;
const swapped = (v) => `(i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 ${v} ${v})`;
const zero = "(v128.const f64x2 0 0)";
/** Runs `body` while the counter is above zero, taking `by` off at every turn. */
const whileAbove = (counter, by, body) => `
  (block $done${counter.slice(1)} (loop $next${counter.slice(1)}
    (br_if $done${counter.slice(1)} (i32.le_s (local.get ${counter}) (i32.const 0)))
    ${body}
    (local.set ${counter} (i32.sub (local.get ${counter}) (i32.const ${by})))
    (br $next${counter.slice(1)})))`;

/** Folds `values` (locals) pairwise into the first with a binary instruction. */
function fold(instruction, values) {
  if (values.length === 1) return "";
  const half = values.length / 2;
  const lines = range(half).map(
    (i) => `(local.set ${values[i]} (${instruction} (local.get ${values[i]}) (local.get ${values[i + half]})))`,
  );
  return [...lines, fold(instruction, values.slice(0, half))].join("\n    ");
}

/** Leaves s = (u·y - u·x) · 1/‖y-x‖² of two sites on the stack: the same operations in the same order everywhere. */
const slope = (i) => `(f64x2.mul
      (f64x2.sub (v128.load offset=${i * 16} (local.get $a)) (local.get $X))
      (v128.load offset=${i * 16} (local.get $b)))`;

/** [FOUND] = the chunk's largest s and minus its smallest. */
const chunkExtremes = () => {
  const first = range(4).map((i) => `(local.set $H${i} ${slope(i)}) (local.set $L${i} (local.get $H${i}))`);
  const rest = range(CHUNK_SITES / 2 - 4).map((i) => {
    const lane = i % 4;
    return `(local.set $S ${slope(i + 4)})
    (local.set $H${lane} (f64x2.pmax (local.get $H${lane}) (local.get $S)))
    (local.set $L${lane} (f64x2.pmin (local.get $L${lane}) (local.get $S)))`;
  });
  return `
    ${first.join("\n    ")}
    ${rest.join("\n    ")}
    ${fold("f64x2.pmax", ["$H0", "$H1", "$H2", "$H3"])}
    ${fold("f64x2.pmin", ["$L0", "$L1", "$L2", "$L3"])}
    (local.set $H0 (f64x2.pmax (local.get $H0) ${swapped("(local.get $H0)")}))
    (local.set $L0 (f64x2.neg (f64x2.pmin (local.get $L0) ${swapped("(local.get $L0)")})))
    (local.set $FOUND (i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31 (local.get $H0) (local.get $L0)))`;
};

/** Keeps the chunk in `place` when its extreme beats the best one, or equals it and comes earlier. */
const keepChunk = (lane, place) => `
    (if (i32.or
          (f64.gt (f64x2.extract_lane ${lane} (local.get $FOUND)) (f64x2.extract_lane ${lane} (local.get $BEST)))
          (i32.and
            (f64.eq (f64x2.extract_lane ${lane} (local.get $FOUND)) (f64x2.extract_lane ${lane} (local.get $BEST)))
            (i32.lt_u (local.get $offset) (local.get ${place}))))
      (then (local.set ${place} (local.get $offset))))`;

/** Lanes in which a chunk or block may hold an s that is not below the best: (span - u·x) · near, rounded as s itself. */
const reaches = (spans, record, offset) => `(f64x2.ge
          (f64x2.mul
            (f64x2.sub
              (v128.load (i32.add (local.get ${spans}) (i32.load offset=${offset} (local.get ${record}))))
              (local.get $XX))
            (v128.load64_splat (local.get ${record})))
          (local.get $BEST))`;

/** Counts a hit for the first site of the chunk at `place` whose s is `value`; nothing where no chunk was kept. */
const countHit = (place, value, label) => `
    (if (i32.ne (local.get ${place}) (i32.const -1)) (then
      (local.set $a (i32.add (local.get $shadow) (local.get ${place})))
      (local.set $b (i32.add (local.get $inverse) (local.get ${place})))
      (local.set $S ${value})
      (local.set $hit (i32.add (local.get $hits) (i32.shr_u (local.get ${place}) (i32.const 2))))
      (block $found${label} (loop $search${label}
        (local.set $mask (i64x2.bitmask (f64x2.eq ${slope(0)} (local.get $S))))
        (br_if $found${label} (local.get $mask))
        ${step("$a", 16)} ${step("$b", 16)} ${step("$hit", 4)}
        (br $search${label})))
      ;; mask 1 or 3: the first lane, 2: the second
      (if (i32.eq (local.get $mask) (i32.const 2)) (then ${step("$hit", 2)}))
      (i32.store16 (local.get $hit) (i32.add (i32.load16_u (local.get $hit)) (i32.const 1)))))`;

export const alignmentWat = () => `
(module
  (import "env" "memory" (memory 1))

  ;; Inverse squared distances of every site from the one whose first coordinate is at x, and each chunk's largest.
  (func (export "distances")
    (param $x i32) (param $panels i32) (param $inverse i32) (param $near i32) (param $chunks i32) (param $width i32)
    (local $k i32) (local $group i32) (local $point i32)
    ${locals(["X", "D", "S0", "S1", "S2", "S3", "LARGEST"], "v128")}
    ${whileAbove(
      "$chunks",
      1,
      `
      (local.set $LARGEST ${zero})
      (local.set $group (i32.const ${CHUNK_SITES}))
      ${whileAbove(
        "$group",
        8,
        `
        (local.set $point (local.get $x))
        ${range(4)
          .map((i) => `(local.set $S${i} ${zero})`)
          .join(" ")}
        (local.set $k (local.get $width))
        ${whileAbove(
          "$k",
          1,
          `
          (local.set $X (v128.load64_splat (local.get $point)))
          ${range(4)
            .map(
              (i) => `(local.set $D (f64x2.sub (v128.load offset=${i * 16} (local.get $panels)) (local.get $X)))
          (local.set $S${i} (f64x2.add (local.get $S${i}) (f64x2.mul (local.get $D) (local.get $D))))`,
            )
            .join("\n          ")}
          ${step("$panels", 64)} ${step("$point", 64)}`,
        )}
        ${range(4)
          .map(
            (i) => `
        ;; 1/0 becomes 0: a site is no neighbour of itself
        (local.set $D (v128.and
          (f64x2.div (v128.const f64x2 1 1) (local.get $S${i}))
          (f64x2.gt (local.get $S${i}) ${zero})))
        (v128.store offset=${i * 16} (local.get $inverse) (local.get $D))
        (local.set $LARGEST (f64x2.pmax (local.get $LARGEST) (local.get $D)))`,
          )
          .join("")}
        ${step("$inverse", 64)}`,
      )}
      (local.set $LARGEST (f64x2.pmax (local.get $LARGEST) ${swapped("(local.get $LARGEST)")}))
      (f64.store (local.get $near) (f64x2.extract_lane 0 (local.get $LARGEST)))
      ${step("$near", 8)}`,
    )})

  ;; Shadows u·y and their spans for two lines, one row each.
  (func (export "project")
    (param $lines i32) (param $panels i32) (param $shadow i32) (param $span i32) (param $spanBytes i32)
    (param $chunks i32) (param $width i32)
    (local $k i32) (local $group i32) (local $u i32) (local $lineBytes i32) (local $shadow1 i32)
    (local $span1 i32)
    ${locals(["U0", "U1", "Y", "A0", "A1", "A2", "A3", "B0", "B1", "B2", "B3", "HA", "LA", "HB", "LB"], "v128")}
    (local.set $lineBytes (i32.shl (local.get $width) (i32.const 3)))
    (local.set $shadow1 (i32.add (local.get $shadow) (i32.mul (local.get $chunks) (i32.const ${CHUNK_BYTES}))))
    (local.set $span1 (i32.add (local.get $span) (local.get $spanBytes)))
    ${whileAbove(
      "$chunks",
      1,
      `
      (local.set $group (i32.const ${CHUNK_SITES}))
      ${["A", "B"].map((l) => `(local.set $H${l} (v128.const f64x2 -inf -inf)) (local.set $L${l} (v128.const f64x2 inf inf))`).join(" ")}
      ${whileAbove(
        "$group",
        8,
        `
        (local.set $u (local.get $lines))
        ${range(4)
          .map((i) => `(local.set $A${i} ${zero}) (local.set $B${i} ${zero})`)
          .join(" ")}
        (local.set $k (local.get $width))
        ${whileAbove(
          "$k",
          1,
          `
          (local.set $U0 (v128.load64_splat (local.get $u)))
          (local.set $U1 (v128.load64_splat (i32.add (local.get $u) (local.get $lineBytes))))
          ${range(4)
            .map(
              (i) => `(local.set $Y (v128.load offset=${i * 16} (local.get $panels)))
          (local.set $A${i} (f64x2.add (local.get $A${i}) (f64x2.mul (local.get $U0) (local.get $Y))))
          (local.set $B${i} (f64x2.add (local.get $B${i}) (f64x2.mul (local.get $U1) (local.get $Y))))`,
            )
            .join("\n          ")}
          ${step("$panels", 64)} ${step("$u", 8)}`,
        )}
        ${range(4)
          .map(
            (i) => `
        (v128.store offset=${i * 16} (local.get $shadow) (local.get $A${i}))
        (v128.store offset=${i * 16} (local.get $shadow1) (local.get $B${i}))
        ${["A", "B"]
          .map(
            (l) => `(local.set $H${l} (f64x2.pmax (local.get $H${l}) (local.get $${l}${i})))
        (local.set $L${l} (f64x2.pmin (local.get $L${l}) (local.get $${l}${i})))`,
          )
          .join("\n        ")}`,
          )
          .join("")}
        ${step("$shadow", 64)} ${step("$shadow1", 64)}`,
      )}
      ${["A", "B"]
        .map(
          (l) => `
      (local.set $H${l} (f64x2.pmax (local.get $H${l}) ${swapped(`(local.get $H${l})`)}))
      (local.set $L${l} (f64x2.pmin (local.get $L${l}) ${swapped(`(local.get $L${l})`)}))
      (f64.store (local.get ${l === "A" ? "$span" : "$span1"}) (f64x2.extract_lane 0 (local.get $H${l})))
      (f64.store offset=8 (local.get ${l === "A" ? "$span" : "$span1"}) (f64.neg (f64x2.extract_lane 0 (local.get $L${l}))))`,
        )
        .join("")}
      ${step("$span", 16)} ${step("$span1", 16)}`,
    )})

  ;; Spans of one line's blocks from those of their chunks, then the span of all sites.
  (func (export "widen") (param $span i32) (param $wide i32) (param $blocks i32)
    ${locals([...BLOCK.map((i) => `S${i}`), "ALL"], "v128")}
    (local.set $ALL (v128.const f64x2 -inf -inf))
    ${whileAbove(
      "$blocks",
      1,
      `
      ${BLOCK.map((i) => `(local.set $S${i} (v128.load offset=${i * 16} (local.get $span)))`).join("\n      ")}
      ${fold(
        "f64x2.pmax",
        BLOCK.map((i) => `$S${i}`),
      )}
      (v128.store (local.get $wide) (local.get $S0))
      (local.set $ALL (f64x2.pmax (local.get $ALL) (local.get $S0)))
      ${step("$span", BLOCK_CHUNKS * 16)} ${step("$wide", 16)}`,
    )}
    (v128.store (local.get $wide) (local.get $ALL)))

  ;; Where each line through one site x leaves its cell, on both sides. \`place\` is 8 times the site's position.
  ;; Returns the number of chunks whose sites were looked at.
  (func (export "cast")
    (param $place i32) (param $shadow i32) (param $shadowBytes i32) (param $span i32) (param $wide i32) (param $lines i32)
    (param $inverse i32) (param $blocks i32) (param $order i32) (param $count i32) (param $hits i32) (result i32)
    (local $block i32) (local $record i32) (local $last i32) (local $left i32) (local $offset i32) (local $high i32)
    (local $low i32) (local $a i32) (local $b i32) (local $hit i32) (local $mask i32) (local $looked i32)
    (local $spanBytes i32) (local $wideBytes i32) (local $allSites i32)
    ${locals(["X", "XX", "FARTHEST", "BEST", "FOUND", "S", "H0", "H1", "H2", "H3", "L0", "L1", "L2", "L3"], "v128")}
    (local.set $allSites (i32.shl (local.get $count) (i32.const 4)))
    (local.set $spanBytes (i32.mul (local.get $allSites) (i32.const ${BLOCK_CHUNKS})))
    (local.set $wideBytes (i32.add (local.get $allSites) (i32.const 16)))
    ${whileAbove(
      "$lines",
      1,
      `
      (local.set $X (v128.load64_splat (i32.add (local.get $shadow) (local.get $place))))
      (local.set $XX (v128.xor (local.get $X) (v128.const i64x2 0 0x8000000000000000)))
      (local.set $FARTHEST (f64x2.sub
        (v128.load (i32.add (local.get $wide) (local.get $allSites)))
        (local.get $XX)))
      ;; the smallest positive number: s = 0 is no hit
      (local.set $BEST (v128.const i64x2 1 1))
      (local.set $high (i32.const -1))
      (local.set $low (i32.const -1))
      (local.set $block (local.get $blocks))
      (local.set $last (local.get $order))
      (local.set $left (local.get $count))
      (block $finished (loop $nextBlock
        ;; later blocks are no nearer: not even the site farthest along the line could reach what both sides have
        (br_if $finished (i64x2.all_true (f64x2.gt
          (local.get $BEST)
          (f64x2.mul (local.get $FARTHEST) (v128.load64_splat (local.get $block))))))
        (local.set $record (local.get $last))
        ${step("$last", BLOCK_CHUNKS * 16)}
        (if (v128.any_true ${reaches("$wide", "$block", 8)})
          (then (loop $nextChunk
            (if (v128.any_true ${reaches("$span", "$record", 8)})
              (then
                ${step("$looked", 1)}
                (local.set $offset (i32.load offset=12 (local.get $record)))
                (local.set $a (i32.add (local.get $shadow) (local.get $offset)))
                (local.set $b (i32.add (local.get $inverse) (local.get $offset)))
                ${chunkExtremes()}
                (if (v128.any_true (f64x2.ge (local.get $FOUND) (local.get $BEST)))
                  (then
                    ${keepChunk(0, "$high")}
                    ${keepChunk(1, "$low")}
                    (local.set $BEST (f64x2.pmax (local.get $BEST) (local.get $FOUND)))))))
            ${step("$record", 16)}
            (br_if $nextChunk (i32.lt_u (local.get $record) (local.get $last))))))
        ${step("$block", 16)}
        (br_if $nextBlock (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
      ${countHit("$high", "(f64x2.splat (f64x2.extract_lane 0 (local.get $BEST)))", "High")}
      ${countHit("$low", "(f64x2.splat (f64.neg (f64x2.extract_lane 1 (local.get $BEST))))", "Low")}
      ${stepBy("$shadow", "$shadowBytes")}
      ${stepBy("$span", "$spanBytes")}
      ${stepBy("$wide", "$wideBytes")}`,
    )}
    (local.get $looked))
)`;
