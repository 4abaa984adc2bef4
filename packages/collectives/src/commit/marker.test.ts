import { expect, test } from "vitest";
import type { Marker } from "./marker.ts";
import { compareMarkers, markerName, parseMarker } from "./marker.ts";

const order: (Marker | null)[] = [
  null,
  { step: 1, phase: "trained" },
  { step: 1, phase: "validated" },
  { step: 2, phase: "trained" },
  { step: 10, phase: "trained" },
];

test("markers come in the order of a run, and their names are theirs", () => {
  for (const [i, a] of order.entries()) {
    for (const [j, b] of order.entries()) expect(Math.sign(compareMarkers(a, b))).toBe(Math.sign(i - j));
    if (a) expect(parseMarker(markerName(a))).toEqual(a);
  }
});

test.each(["", "0", "-1", "1.5", "1/trained", "x"])("%j is no marker", (name) => {
  expect(() => parseMarker(name)).toThrow(RangeError);
});
