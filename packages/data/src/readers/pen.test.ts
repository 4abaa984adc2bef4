import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { decodeNpy } from "@gmc/storage";
import { sharedPath } from "@gmc/testkit";
import { describe, expect, test } from "vitest";
import { resampleTrajectory } from "./trajectory.ts";
import { parseUnipen, readUnipen } from "./unipen.ts";

const strokes = [Float64Array.of(10, 10, 10, 10, 40, 50, 41, 90), Float64Array.of(20, 60, 70, 60)];

describe("resampleTrajectory", () => {
  test("agrees with numpy's interpolation over the joined strokes", async () => {
    const path = fileURLToPath(new URL("../../fixtures/strokes-resampled.npy", import.meta.url));
    const expected = decodeNpy(await readFile(path)).data as Float64Array;
    const points = resampleTrajectory(strokes);
    expect(points).toHaveLength(200);
    for (let i = 0; i < 200; i++) expect(Math.abs((points[i] ?? 0) - (expected[i] ?? 0))).toBeLessThan(6e-8);
  });

  test("a straight line becomes equidistant points from end to end, whatever its own spacing", () => {
    const points = resampleTrajectory([Float64Array.of(0, 0, 1, 0, 10, 0)], 5);
    expect([...points]).toEqual([-1, 0, -0.5, 0, 0, 0, 0.5, 0, 1, 0]);
  });

  test("the longer side spans -1 to 1 and the aspect ratio stays", () => {
    const points = resampleTrajectory([Float64Array.of(0, 0, 4, 0, 4, 1)], 101);
    const xs = points.filter((_, i) => i % 2 === 0);
    const ys = points.filter((_, i) => i % 2 === 1);
    expect([Math.min(...xs), Math.max(...xs)]).toEqual([-1, 1]);
    expect([Math.min(...ys), Math.max(...ys)]).toEqual([-0.25, 0.25]);
  });

  test("a single point gives zeros, no point is refused", () => {
    expect(resampleTrajectory([Float64Array.of(3, 4, 3, 4)])).toEqual(new Float32Array(200));
    expect(() => resampleTrajectory([])).toThrow(/no points/);
  });
});

describe("readUnipen", () => {
  const text = `.INCLUDE x\n.SEGMENT DIGIT 0 ? "8"\n.COMMENT 8 6 138\n.PEN_DOWN\n 1  2\n 3 4\n.PEN_UP\n.DT 100\n.PEN_DOWN\n 5 6\n.PEN_UP\n\n.SEGMENT DIGIT 1 ? "a"\n.PEN_DOWN\n7 8\n.PEN_UP\n`;

  test("segments come with label, strokes and line", () => {
    expect(parseUnipen(text, "t")).toEqual([
      { label: "8", strokes: [Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6)], line: 2 },
      { label: "a", strokes: [Float64Array.of(7, 8)], line: 13 },
    ]);
    expect(parseUnipen(text.replaceAll("\n", "\r\n"), "t")).toEqual(parseUnipen(text, "t"));
  });

  test("what is wrong is named by file and line", () => {
    expect(() => parseUnipen(text.replace(" 3 4", " 3 x"), "pen")).toThrow(
      /pen:6: expected a point "x y", found "3 x"/,
    );
    expect(() => parseUnipen(text.replace('"8"', "8"), "pen")).toThrow(/pen:2: expected \.SEGMENT with a label/);
    expect(() => parseUnipen(text.replace(".PEN_DOWN\n7 8\n", ""), "pen")).toThrow(/pen:13: the segment has no points/);
    expect(() => parseUnipen(text.replace(".PEN_UP\n.DT", "x\n.DT"), "pen")).toThrow(/pen:7/);
    expect(() => parseUnipen(".PEN_DOWN\n1 2", "pen")).toThrow(/pen:1: \.PEN_DOWN before the first \.SEGMENT/);
  });

  test("the UCI test strokes have the published count per digit", async ({ skip }) => {
    const path = sharedPath("data/digits/trajectories/pendigits-test");
    if (path === undefined) return skip("shared/data/digits/trajectories/pendigits-test is absent");
    const samples = await readUnipen(path);
    const counts = Array.from({ length: 10 }, (_, d) => samples.filter(({ label }) => label === String(d)).length);
    expect(counts).toEqual([363, 364, 364, 336, 364, 335, 336, 364, 336, 336]);
    const strokeCounts = [1, 2, 3, 4].map((n) => samples.filter((sample) => sample.strokes.length === n).length);
    expect(strokeCounts).toEqual([2744, 750, 3, 1]);
  });
});
