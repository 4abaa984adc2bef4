import { CancelledError } from "@gmc/core";
import sharp from "sharp";
import { expect, test } from "vitest";
import { clouds, onSphere } from "../alignment/points.testing.ts";
import { classColours, pale } from "./colours.ts";
import { nearestNeighbours } from "./nearest-neighbours.ts";
import { panelPoints } from "./picture-points.ts";
import { principalComponents } from "./principal-components.ts";
import { type ProjectionOptions, projectionPicture } from "./projection-picture.ts";
import { fontsMissing, renderPng } from "./render-png.ts";
import { element, escapeText } from "./svg.ts";
import { umapLayout } from "./umap.ts";

const dim = 16;
const cloud = (seed: number, n: number) => Float32Array.from(onSphere(clouds(seed, n, dim, 4, 0.15), dim));
const labels = (n: number) => Int32Array.from({ length: n }, (_, i) => i % 4);
const breathe = async () => {};
const picture: ProjectionOptions = {
  method: "umap",
  dim,
  complete: { codes: cloud(1, 80), labels: labels(80) },
  modalities: [
    {
      name: "image <1>",
      codes: cloud(1, 80).map((value) => value + 0.02),
      labels: labels(80),
      note: "P 1.00  score 0.91",
    },
    {
      name: "sound",
      codes: cloud(3, 60),
      labels: labels(60),
      outliers: Uint8Array.from({ length: 60 }, (_, i) => i % 2),
    },
  ],
  classes: ["zero", "one", "two", "three"],
};

test("a picture is a function of codes, options and seed", async () => {
  const small = { ...picture, samples: 30 };
  const one = await projectionPicture(small);
  expect(await projectionPicture(small)).toBe(one);
  expect(await projectionPicture({ ...small, seed: 1 })).not.toBe(one);
});

test("a picture shows every code once by kind and once by class, names, notes and legend", async () => {
  const svg = await projectionPicture({ ...picture, method: "pca" });
  expect(dots(svg)).toBe(2 * (80 + 80 + 80 + 60));
  for (const shown of [
    "image &lt;1&gt;",
    "P 1.00\u00a0 score 0.91",
    "zero",
    "three",
    "complete",
    "by class",
    "outliers of the alignment",
  ]) {
    expect(svg).toContain(shown);
  }
});

test("the few codes of a modality among many complete ones are large", async () => {
  const label = { name: "label", codes: cloud(4, 4) };
  const svg = await projectionPicture({ ...picture, method: "pca", modalities: [label] });
  expect(svg.match(/stroke="#e8862a" stroke-width="8"/g)).toHaveLength(1);
  expect(dots(svg)).toBe(2 * 80 + 2 * 2 * 4); // each large dot has a white one below
});

test("outliers are pale, left out or as the others", async () => {
  const of = (outliers: "pale" | "hide" | "same") => projectionPicture({ ...picture, method: "pca", outliers });
  const faint = new RegExp(pale("#e8862a", 0.25));
  expect(await of("pale")).toMatch(faint);
  expect(await of("same")).not.toMatch(faint);
  expect(dots(await of("hide"))).toBe(dots(await of("same")) - 2 * 30);
});

test("the PNG is twice the SVG's size and has its text and its colours", async () => {
  expect(await fontsMissing(), "this machine has no font: install one, e.g. fonts-dejavu").toBe(false);
  const svg = await projectionPicture({ ...picture, method: "pca" });
  const [width, height] = [...svg.matchAll(/ (?:width|height)="(\d+)"/g)].slice(0, 2).map((match) => Number(match[1]));
  const image = sharp(await renderPng(svg));
  expect(await image.metadata()).toMatchObject({ format: "png", width: width! * 2, height: height! * 2 });
  const title = await image.clone().extract({ left: 60, top: 16, width: 400, height: 36 }).stats();
  expect(title.channels[0]!.min).toBeLessThan(80); // dark letters on white
  const panel = await image.clone().extract({ left: 80, top: 160, width: 440, height: 440 }).raw().toBuffer();
  const orange = Array.from({ length: panel.length / 3 }, (_, i) => panel[i * 3]! - panel[i * 3 + 2]!);
  expect(Math.max(...orange.filter((_, i) => i % 7 === 0))).toBeGreaterThan(60); // of the modality's colour
});

test("UMAP keeps neighbours together: most of the nearest in the picture share a cluster", async () => {
  const codes = cloud(5, 200);
  const layout = await umapLayout(codes, dim, { seed: 0 });
  const { indices } = await nearestNeighbours(Float32Array.from(layout), 2, 6, breathe);
  const together = indices.flatMap(([self, ...others]) => others.map((other) => self! % 4 === other % 4));
  expect(together.filter(Boolean).length / together.length).toBeGreaterThan(0.95);
});

test("too few points for UMAP's neighbourhoods are laid out by principal components", async () => {
  const codes = cloud(5, 10);
  expect(await umapLayout(codes, dim, { seed: 0 })).toEqual(principalComponents(codes, dim));
});

test("a fired signal stops a picture", async () => {
  const signal = AbortSignal.abort();
  await expect(projectionPicture({ ...picture, signal })).rejects.toThrow(CancelledError);
  await expect(umapLayout(cloud(5, 100), dim, { seed: 0, signal })).rejects.toThrow(CancelledError);
});

test("labels that are not one a code are refused", async () => {
  const wrong = { ...picture, complete: { codes: cloud(1, 80), labels: labels(79) } };
  await expect(projectionPicture(wrong)).rejects.toThrow(/labels of complete/);
});

test("principal components find the widest directions of an ellipse, whatever its turn", () => {
  const angle = 0.6;
  const rows = Array.from({ length: 50 }, (_, i) => {
    const [a, b] = [10 * Math.cos(i), 2 * Math.sin(i)];
    return [5 + a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle), 7];
  });
  const layout = principalComponents(Float32Array.from(rows.flat()), 3);
  const spread = (axis: number) =>
    Math.sqrt(layout.filter((_, i) => i % 2 === axis).reduce((s, v) => s + v * v, 0) / 50);
  expect(spread(0)).toBeCloseTo(10 / Math.SQRT2, 0);
  expect(spread(1)).toBeCloseTo(2 / Math.SQRT2, 0);
});

test("equal codes of a kind are one point that stands for all of them", () => {
  const complete = { codes: Float32Array.of(1, 1, 2, 2, 3, 3), labels: Int32Array.of(0, 1, 2) };
  const modality = { codes: Float32Array.of(2, 2, 4, 4, 4, 4), labels: Int32Array.of(5, 6, 6) };
  const points = panelPoints(complete, modality, { dim: 2, samples: 10, seed: 0 });
  expect([...points.codes]).toEqual([2, 2, 4, 4, 1, 1, 3, 3]);
  expect(points.kinds).toEqual(["modality", "modality", "complete", "complete"]);
  expect(points.labels).toEqual([5, 6, 0, 2]);
  expect(points.copies).toEqual([2, 2, 1, 1]);
});

test("the same rows of both kinds are drawn when there are too many", () => {
  const codes = Float32Array.from({ length: 100 }, (_, i) => i);
  const points = panelPoints({ codes }, { codes: codes.map((value) => value + 0.5) }, { dim: 1, samples: 10, seed: 4 });
  const shown = [...points.codes];
  expect(shown).toHaveLength(20);
  expect(shown.slice(0, 10).map((value) => value - 0.5)).toEqual(shown.slice(10));
});

test("nearest neighbours are those of a full sort, the point itself first", async () => {
  const codes = cloud(6, 40);
  const { indices, distances } = await nearestNeighbours(codes, dim, 5, breathe);
  const distance = (a: number, b: number) =>
    Math.sqrt(
      Array.from({ length: dim }, (_, k) => (codes[a * dim + k]! - codes[b * dim + k]!) ** 2).reduce((s, v) => s + v),
    );
  indices.forEach((row, point) => {
    const sorted = Array.from({ length: 40 }, (_, i) => i).sort((a, b) => distance(point, a) - distance(point, b));
    expect(row).toEqual(sorted.slice(0, 5));
    expect(distances[point]![4]).toBeCloseTo(distance(point, sorted[4]!), 12);
  });
});

test("any number of classes has different colours", () => {
  for (const classes of [1, 10, 11, 40]) expect(new Set(classColours(classes)).size).toBe(classes);
});

test("text and attributes are safe", () => {
  expect(escapeText(`<a href="x">'&'</a>`)).toBe("&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  expect(element("text", { id: `"<`, x: 1.005, skipped: undefined }, "in")).toBe(
    `<text id="&quot;&lt;" x="1">in</text>`,
  );
});

const dots = (svg: string): number => svg.split("h0").length - 1;
