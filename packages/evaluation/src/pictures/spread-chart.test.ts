import { expect, test } from "vitest";
import { spreadChart } from "./spread-chart.ts";

const chart = {
  title: "a < b",
  series: [{ name: "small & fast" }, { name: "large" }],
  panels: [
    {
      unit: "accuracy (%)",
      labels: ["complete", "image"],
      values: [
        [[90, 92, 94], [50]],
        [[80, 81, 82], []],
      ],
    },
    { unit: "loss", labels: ["final loss"], values: [[[1, 2, 3]], [[2, 2, 2]]] },
  ],
};
/** Centres of circles by radius. */
const dots = (svg: string, radius: string) =>
  [...svg.matchAll(new RegExp(`<circle cx="([^"]+)" cy="([^"]+)" r="${radius}"`, "g"))].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);

test("every value is a small dot, every mean a large one, and a mean of one value has no bar", () => {
  const svg = spreadChart(chart);
  expect(dots(svg, "2")).toHaveLength(3 + 1 + 3 + 3 + 3);
  expect(dots(svg, "4.5")).toHaveLength(5);
  expect(svg.match(/stroke-width="1.6"/g)).toHaveLength(4 * 3); // a bar and its two caps
});

test("higher values stand higher, at the same height for all series of a panel", () => {
  const [first, second, third] = dots(spreadChart(chart), "2");
  expect(first?.[1]).toBeGreaterThan(second?.[1] ?? 0);
  expect(second?.[1]).toBeGreaterThan(third?.[1] ?? 0);
  expect((first?.[1] ?? 0) - (second?.[1] ?? 0)).toBeCloseTo((second?.[1] ?? 0) - (third?.[1] ?? 0));
  const means = dots(spreadChart(chart), "4.5").map(([, y]) => y);
  expect(means[0]).toBeCloseTo(second?.[1] ?? 0); // 92 is the mean of the first column
});

test("names are escaped and in the picture", () => {
  const svg = spreadChart(chart);
  for (const shown of ["a &lt; b", "small &amp; fast", "complete", "accuracy (%)"]) expect(svg).toContain(shown);
});

test("values that are all equal, and panels without any, can be drawn", () => {
  const flat = { title: "", series: [{ name: "" }], panels: [{ unit: "", labels: ["x"], values: [[[0, 0]]] }] };
  expect(spreadChart(flat)).not.toContain("NaN");
  expect(spreadChart({ ...flat, panels: [{ unit: "", labels: ["x"], values: [[[]]] }] })).not.toContain('circle cx="5');
});
