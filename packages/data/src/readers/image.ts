import { DataError } from "@gmc/core";
import { loadSharp } from "../load-sharp.ts";

/** Endings of the image files that are read. */
export const IMAGE_EXTENSIONS = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff"] as const;

/** How an image becomes a tensor. */
export interface ImageOptions {
  /** Pixels; the image is scaled to cover this and cut around its centre. */
  readonly height: number;
  readonly width: number;
  /** 1: grey (luma of sRGB) · 3: red, green, blue. Transparency is laid over black. */
  readonly channels: 1 | 3;
}

/** [height, width, channels] bytes of an image file. @throws {DataError} naming a file that is no image */
export async function readImage(path: string, { height, width, channels }: ImageOptions): Promise<Uint8Array> {
  const sharp = await loadSharp();
  try {
    const image = sharp(path, { failOn: "error" }).rotate().flatten({ background: "#000000" });
    const sized = image.resize(width, height, { fit: "cover" });
    const coloured = channels === 1 ? sized.greyscale() : sized.toColourspace("srgb");
    const { data, info } = await coloured.raw().toBuffer({ resolveWithObject: true });
    if (info.channels === channels) return new Uint8Array(data.buffer, data.byteOffset, data.length);
    throw new Error(`${info.channels} channels came instead of ${channels}`);
  } catch (cause) {
    throw new DataError(`${path} cannot be read as an image: ${(cause as Error).message}`, { path }, { cause });
  }
}
