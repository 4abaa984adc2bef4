/** Ten colours that differ in hue and lightness (Tableau 10, 2016). */
const TEN = [
  "#4e79a7",
  "#f28e2b",
  "#e15759",
  "#76b7b2",
  "#59a14f",
  "#edc948",
  "#b07aa1",
  "#ff9da7",
  "#9c755f",
  "#7f7f7f",
] as const;

/** Colours for so many classes: ten chosen ones, or a wheel of hues for more. */
export function classColours(classes: number): readonly string[] {
  if (classes <= TEN.length) return TEN.slice(0, classes);
  return Array.from({ length: classes }, (_, i) => hslHex((360 * i) / classes, 0.6, i % 2 === 0 ? 0.42 : 0.62));
}

/** The two kinds of codes. */
export const COMPLETE_COLOUR = "#2b5c8a";
export const MODALITY_COLOUR = "#e8862a";

/** Colour mixed with white: 0 is white, 1 the colour itself. */
export function pale(colour: string, strength: number): string {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `#${channels.map((value) => hex(255 - (255 - value) * strength)).join("")}`;
}

function hslHex(hue: number, saturation: number, lightness: number): string {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (offset: number) => {
    const k = (offset + hue / 30) % 12;
    return hex(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

const hex = (value: number): string => Math.round(value).toString(16).padStart(2, "0");
