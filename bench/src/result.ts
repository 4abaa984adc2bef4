/** One measured number and the bar it is held to. */
export interface BenchmarkResult {
  readonly name: string;
  /** In `unit`. */
  readonly value: number;
  readonly unit: string;
  /** For people: "≤ 0.85 × peer", "≤ 1e-5". */
  readonly bar: string;
  /** Null where the bar is a ratio to a peer that is not there. */
  readonly holds: boolean | null;
  /** The peer's number, in `unit`; null where there is none to compare. */
  readonly peer: number | null;
}

/** The machine and the software that gave the results. */
export interface Host {
  /** ISO 8601, UTC, when the benchmark began. */
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  /** "20.19.0" */
  readonly node: string;
  readonly onnxruntime: string;
  /** Null where no torch was found. */
  readonly torch: string | null;
}

/** What `--json` prints. */
export interface Report {
  readonly host: Host;
  readonly results: readonly BenchmarkResult[];
}

/** A result that has to be at most `factor` times the peer's; `holds` is null without a peer. */
export function againstPeer(
  name: string,
  { value, unit, peer, factor }: { value: number; unit: string; peer: number | null; factor: number },
): BenchmarkResult {
  const holds = peer === null ? null : value <= factor * peer;
  return { name, value: rounded(value), unit, bar: `≤ ${factor} × peer`, holds, peer: peer && rounded(peer) };
}

/** A result that has to be at least `factor` times the peer's; `holds` is null without a peer. */
export function aboveBar(
  name: string,
  { value, unit, peer, factor }: { value: number; unit: string; peer: number | null; factor: number },
): BenchmarkResult {
  const holds = peer === null ? null : value >= factor * peer;
  return { name, value: rounded(value), unit, bar: `≥ ${factor} × peer`, holds, peer: peer && rounded(peer) };
}

/** Two numbers beside each other, held to no bar. */
export function sideBySide(
  name: string,
  { value, unit, peer }: { value: number; unit: string; peer: number },
): BenchmarkResult {
  return { name, value: rounded(value), unit, bar: "-", holds: null, peer: rounded(peer) };
}

/** A result without a peer. */
export function againstBar(
  name: string,
  { value, unit, bar, holds }: { value: number; unit: string; bar: string; holds: boolean },
): BenchmarkResult {
  return { name, value: rounded(value), unit, bar, holds, peer: null };
}

/** Four significant digits: more than a machine repeats. */
const rounded = (value: number): number => Number(value.toPrecision(4));
