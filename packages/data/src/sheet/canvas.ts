import { loadSharp } from "../load-sharp.ts";
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphOf } from "./pixel-font.ts";

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A picture being drawn; places are pixels from the top left, and drawing outside it does nothing. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #pixels: Uint8Array;

  constructor(width: number, height: number, background: Colour) {
    this.width = width;
    this.height = height;
    this.#pixels = new Uint8Array(width * height * 3);
    this.fill({ x: 0, y: 0, width, height }, background);
  }

  /** One pixel, mixed with what is there; `opacity` from 0 to 1. */
  blend(x: number, y: number, [red, green, blue]: Colour, opacity: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height || opacity <= 0) return;
    const at = (y * this.width + x) * 3;
    const pixels = this.#pixels;
    pixels[at] = Math.round((pixels[at] ?? 0) * (1 - opacity) + red * opacity);
    pixels[at + 1] = Math.round((pixels[at + 1] ?? 0) * (1 - opacity) + green * opacity);
    pixels[at + 2] = Math.round((pixels[at + 2] ?? 0) * (1 - opacity) + blue * opacity);
  }

  fill({ x, y, width, height }: Box, colour: Colour): void {
    for (let row = y; row < y + height; row++)
      for (let column = x; column < x + width; column++) this.blend(column, row, colour, 1);
  }

  /** A frame one pixel wide just outside the box. */
  frame({ x, y, width, height }: Box, colour: Colour): void {
    this.fill({ x: x - 1, y: y - 1, width: width + 2, height: 1 }, colour);
    this.fill({ x: x - 1, y: y + height, width: width + 2, height: 1 }, colour);
    this.fill({ x: x - 1, y, width: 1, height }, colour);
    this.fill({ x: x + width, y, width: 1, height }, colour);
  }

  /** A straight line with round ends, anti-aliased; equal ends make a dot. */
  line(x0: number, y0: number, x1: number, y1: number, radius: number, colour: Colour): void {
    const dx = x1 - x0;
    const dy = y1 - y0;
    const square = dx * dx + dy * dy;
    const reach = Math.ceil(radius) + 1;
    for (let y = Math.floor(Math.min(y0, y1)) - reach; y <= Math.max(y0, y1) + reach; y++) {
      for (let x = Math.floor(Math.min(x0, x1)) - reach; x <= Math.max(x0, x1) + reach; x++) {
        const offX = x + 0.5 - x0;
        const offY = y + 0.5 - y0;
        const along = square > 0 ? Math.min(1, Math.max(0, (offX * dx + offY * dy) / square)) : 0;
        const awayX = offX - along * dx;
        const awayY = offY - along * dy;
        this.blend(x, y, colour, Math.min(1, radius + 0.5 - Math.sqrt(awayX * awayX + awayY * awayY)));
      }
    }
  }

  /** Text whose top left is at x, y; `scale` pixels a dot of the font. */
  text(text: string, x: number, y: number, colour: Colour, scale = 1): void {
    for (const [i, character] of [...text].entries()) {
      for (const [column, bits] of glyphOf(character).entries()) {
        for (let row = 0; row < GLYPH_HEIGHT; row++) {
          if (!((bits >> row) & 1)) continue;
          this.fill(
            { x: x + (i * GLYPH_WIDTH + column) * scale, y: y + row * scale, width: scale, height: scale },
            colour,
          );
        }
      }
    }
  }

  /** The picture as a PNG file's bytes. */
  async png(): Promise<Uint8Array> {
    const raw = { width: this.width, height: this.height, channels: 3 } as const;
    const sharp = await loadSharp();
    return sharp(this.#pixels, { raw }).png({ compressionLevel: 9 }).toBuffer();
  }
}

/** Width in pixels of a text. */
export const textWidth = (text: string, scale = 1): number => [...text].length * GLYPH_WIDTH * scale - scale;
