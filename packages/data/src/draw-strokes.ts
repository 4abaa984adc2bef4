/** How strokes become an image. */
export interface DrawOptions {
  /** Width and height in pixels. */
  readonly size: number;
  /** Length in pixels that the longer side of the strokes' box gets. */
  readonly extent: number;
  /** Radius of a round pen, in pixels. */
  readonly penRadius: number;
  /** Where the box's centre goes, in pixels from the image's centre, y down. */
  readonly shiftX?: number;
  readonly shiftY?: number;
}

/** As MNIST: 28 pixels, the digit 20 of them. */
export const DIGIT_IMAGE: DrawOptions = { size: 28, extent: 20, penRadius: 1.1 };

/**
 * [size, size] bytes, row by row from the top: 0 is paper, 255 ink, edges anti-aliased. The aspect ratio is kept.
 *
 * @param strokes  x0, y0, x1, y1, … each, y up, any scale; the pen is lifted between them
 */
export function drawStrokes(strokes: readonly Float64Array[], options: DrawOptions): Uint8Array {
  const { size, penRadius } = options;
  const image = new Uint8Array(size * size);
  const place = placement(strokes, options);
  for (const stroke of strokes) {
    const points = place(stroke);
    if (points.length === 2) drawSegment(image, size, penRadius, points, 0, 0);
    for (let i = 0; i + 3 < points.length; i += 2) drawSegment(image, size, penRadius, points, i, i + 2);
  }
  return image;
}

/** From the strokes' coordinates to pixels, y down; pixel (0, 0) has its centre at 0.5, 0.5. */
function placement(
  strokes: readonly Float64Array[],
  { size, extent, penRadius, shiftX = 0, shiftY = 0 }: DrawOptions,
): (stroke: Float64Array) => Float64Array {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const stroke of strokes) {
    for (let i = 0; i < stroke.length; i++) {
      low[i % 2] = Math.min(low[i % 2] ?? 0, stroke[i] ?? 0);
      high[i % 2] = Math.max(high[i % 2] ?? 0, stroke[i] ?? 0);
    }
  }
  const [left = 0, bottom = 0] = low;
  const [right = 0, top = 0] = high;
  const longer = Math.max(right - left, top - bottom);
  const scale = longer > 0 ? (extent - 2 * penRadius) / longer : 0;
  return (stroke) =>
    stroke.map((value, i) =>
      i % 2 === 0
        ? size / 2 + shiftX + (value - (left + right) / 2) * scale
        : size / 2 + shiftY - (value - (bottom + top) / 2) * scale,
    );
}

/** Ink of one straight piece: full within the radius of its axis, falling off over one pixel at the edge. */
function drawSegment(
  image: Uint8Array,
  size: number,
  radius: number,
  points: Float64Array,
  from: number,
  to: number,
): void {
  const x0 = points[from] ?? 0;
  const y0 = points[from + 1] ?? 0;
  const dx = (points[to] ?? 0) - x0;
  const dy = (points[to + 1] ?? 0) - y0;
  const square = dx * dx + dy * dy;
  const reach = radius + 1;
  const firstX = Math.max(0, Math.floor(Math.min(x0, x0 + dx) - reach));
  const lastX = Math.min(size - 1, Math.ceil(Math.max(x0, x0 + dx) + reach));
  const firstY = Math.max(0, Math.floor(Math.min(y0, y0 + dy) - reach));
  const lastY = Math.min(size - 1, Math.ceil(Math.max(y0, y0 + dy) + reach));
  for (let py = firstY; py <= lastY; py++) {
    for (let px = firstX; px <= lastX; px++) {
      const offX = px + 0.5 - x0;
      const offY = py + 0.5 - y0;
      const along = square > 0 ? Math.min(1, Math.max(0, (offX * dx + offY * dy) / square)) : 0;
      const awayX = offX - along * dx;
      const awayY = offY - along * dy;
      const ink = radius + 0.5 - Math.sqrt(awayX * awayX + awayY * awayY);
      const value = Math.round(255 * Math.min(1, ink));
      const at = py * size + px;
      if (value > (image[at] ?? 0)) image[at] = value;
    }
  }
}
