/**
 * A place in a run up to which something is committed: the step's update, or what its validation decided. Before the
 * first step: { step: 0, phase: "trained" } is never committed, so `null` stands for it.
 */
export interface Marker {
  /** Steps done, from 1. */
  readonly step: number;
  readonly phase: "trained" | "validated";
}

/** The marker as a record's version: "12", "12/validated". */
export const markerName = ({ step, phase }: Marker): string => (phase === "trained" ? `${step}` : `${step}/validated`);

/** The marker that a name stands for. @throws {RangeError} for a text that is none */
export function parseMarker(name: string): Marker {
  const match = /^([1-9][0-9]*)(\/validated)?$/.exec(name);
  if (!match) throw new RangeError(`"${name}" is no marker of a step`);
  return { step: Number(match[1]), phase: match[2] === undefined ? "trained" : "validated" };
}

/** Negative, zero or positive: which of two markers comes first; null comes before all. */
export function compareMarkers(a: Marker | null, b: Marker | null): number {
  if (!a || !b) return Number(a !== null) - Number(b !== null);
  return a.step - b.step || Number(a.phase === "validated") - Number(b.phase === "validated");
}
