import { expect, test } from "vitest";
import { describeHost } from "./host.ts";
import { reportTable } from "./report-table.ts";
import { againstBar, againstPeer } from "./result.ts";

const host = describeHost("2.15.0", new Date("2026-01-02T03:04:05Z"));
const faster = againstPeer("a step", { value: 85, unit: "ms", peer: 100, factor: 0.85 });
const slower = againstPeer("a step", { value: 85.1, unit: "ms", peer: 100, factor: 0.85 });
const alone = againstPeer("a step", { value: 85, unit: "ms", peer: null, factor: 0.85 });
const error = againstBar("error", { value: 1.23456789e-6, unit: "", bar: "≤ 1e-5", holds: true });

test("the JSON document is {host, results: [{name, value, unit, bar, holds, peer}]} and nothing else", () => {
  const document = JSON.parse(JSON.stringify({ host, results: [faster, alone, error] }));
  expect(Object.keys(document)).toEqual(["host", "results"]);
  expect(Object.keys(document.host)).toEqual(["date", "cpu", "cores", "node", "onnxruntime", "torch"]);
  for (const result of document.results) {
    expect(Object.keys(result)).toEqual(["name", "value", "unit", "bar", "holds", "peer"]);
  }
  expect(document.host).toMatchObject({
    date: "2026-01-02T03:04:05.000Z",
    torch: "2.15.0",
    node: process.versions.node,
  });
  expect(document.host.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
  expect(document.host.cores).toBeGreaterThan(0);
});

test("a bar against the peer holds up to its factor, and is undecided without a peer", () => {
  expect(faster).toEqual({ name: "a step", value: 85, unit: "ms", bar: "≤ 0.85 × peer", holds: true, peer: 100 });
  expect(slower.holds).toBe(false);
  expect(alone).toMatchObject({ holds: null, peer: null });
});

test("numbers are rounded after they were judged", () => {
  expect(againstPeer("a", { value: 85.001, unit: "ms", peer: 100, factor: 0.85 })).toMatchObject({
    value: 85,
    holds: false,
  });
  expect(error.value).toBe(1.235e-6);
});

test("the table has a line a result, with the ratio to the peer", () => {
  const lines = reportTable({ host, results: [faster, slower, alone, error] }).split("\n");
  expect(lines[0]).toContain("torch 2.15.0");
  expect(lines.slice(4)).toEqual([
    expect.stringMatching(/^a step +85 ms +100 ms +0\.850 +≤ 0\.85 × peer +yes$/),
    expect.stringMatching(/^a step +85\.1 ms +100 ms +0\.851 +≤ 0\.85 × peer +NO$/),
    expect.stringMatching(/^a step +85 ms +- +- +≤ 0\.85 × peer +-$/),
    expect.stringMatching(/^error +1\.24e-6 +- +- +≤ 1e-5 +yes$/),
  ]);
});
