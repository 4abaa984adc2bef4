/** A piece of SVG. */
export type Svg = string;

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element; numbers are written with two decimals, undefined attributes are left out. */
export function element(name: string, attributes: Attributes, ...children: readonly Svg[]): Svg {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${typeof value === "number" ? decimal(value) : escapeText(value)}"`],
  );
  const open = `<${name}${written.join("")}`;
  return children.length === 0 ? `${open}/>` : `${open}>${children.join("")}</${name}>`;
}

export interface TextStyle {
  readonly size?: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "bold";
  readonly fill?: string;
  /** Degrees, about the text's place. */
  readonly turn?: number;
}

/** A line of text whose baseline is at (x, y). */
export function text(x: number, y: number, content: string, style: TextStyle = {}): Svg {
  const { size = 12, anchor = "start", weight, fill = INK, turn } = style;
  const transform = turn === undefined ? undefined : `rotate(${decimal(turn)} ${decimal(x)} ${decimal(y)})`;
  const attributes = { x, y, "font-size": size, "text-anchor": anchor, "font-weight": weight, fill, transform };
  return element("text", attributes, escapeText(content.replaceAll("  ", "\u00a0 "))); // SVG folds spaces
}

/** A whole picture on white; text is in the first of common sans-serif fonts that is there. */
export function svgDocument(width: number, height: number, title: string, ...children: readonly Svg[]): Svg {
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${decimal(width)} ${decimal(height)}`,
    width,
    height,
    role: "img",
    "font-family": "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif",
  };
  const background = element("rect", { width, height, fill: "#ffffff" });
  return element("svg", attributes, element("title", {}, escapeText(title)), background, ...children);
}

export const INK = "#222222";

/** At most two decimals, without trailing zeros. */
export const decimal = (value: number): string => String(Math.round(value * 100) / 100);

/** Text made safe between tags and in attributes, of SVG and HTML. */
export const escapeText = (content: string): string =>
  content.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
