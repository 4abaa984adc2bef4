import { loadSharp } from "@gmc/data";
import { svgDocument, text } from "./svg.ts";

/** Pixels of a PNG for one unit of an SVG. */
const SCALE = 2;

/** The picture as PNG, two pixels a unit. Text needs a font on the machine, see `fontsMissing`. */
export async function renderPng(svg: string): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(Buffer.from(svg), { density: 72 * SCALE, limitInputPixels: 400e6 })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** True when this machine has no font, so that a PNG would lack its text (an SVG would not): install one, e.g. fonts-dejavu. */
export async function fontsMissing(): Promise<boolean> {
  const sharp = await loadSharp();
  const { channels } = await sharp(Buffer.from(svgDocument(40, 20, "font", text(2, 16, "M", { size: 16 })))).stats();
  return channels.slice(0, 3).every(({ min }) => min > 128);
}
