import type { BenchmarkResult, Host, Report } from "./result.ts";
import { textTable } from "./table.ts";

/** The report for people, with the ratio to the peer that the bars speak of. */
export function reportTable({ host, results }: Report): string {
  const head = ["what", "ours", "peer", "ours / peer", "bar", "holds"];
  return `${hostLine(host)}\n\n${textTable([head, ...results.map(row)], [1, 2, 3])}`;
}

/** "AMD EPYC, 2 cores · node 20.19.0 · onnxruntime 1.30.0 · torch 2.15.0 · 2026-01-01T00:00:00.000Z" */
export function hostLine({ date, cpu, cores, node, onnxruntime, torch }: Host): string {
  return [
    `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}`,
    `node ${node}`,
    `onnxruntime ${onnxruntime}`,
    torch === null ? "no torch" : `torch ${torch}`,
    date,
  ].join(" · ");
}

function row({ name, value, unit, bar, holds, peer }: BenchmarkResult): string[] {
  const number = (x: number) => `${Math.abs(x) < 1e-3 && x !== 0 ? x.toExponential(2) : x} ${unit}`.trim();
  return [
    name,
    number(value),
    peer === null ? "-" : number(peer),
    peer === null ? "-" : (value / peer).toFixed(3),
    bar,
    holds === null ? "-" : holds ? "yes" : "NO",
  ];
}
