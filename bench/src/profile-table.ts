import type { ProfileMeasure } from "./measures/profile.ts";
import type { NodeTime } from "./profile-events.ts";
import { operatorTimes } from "./profile-events.ts";
import { textTable } from "./table.ts";

const TOP_NODES = 20;

/** Where a step's time goes, for people: by phase, by operator, and the longest nodes. */
export function profileTable({ phases, forward, backward }: ProfileMeasure): string {
  const ms = (value: number) => value.toFixed(2);
  const operators = operatorTimes(forward, backward);
  const [forwardMs, backwardMs] = [forward, backward].map((nodes) => nodes.reduce((sum, node) => sum + node.ms, 0));
  const share = (value: number) => `${((100 * value) / phases.step).toFixed(1)} %`;
  const phaseRows = Object.entries(phases).map(([phase, value]) => [phase, ms(value), share(value)]);
  const operatorRows = operators.map((time) => [
    time.operator,
    ms(time.forwardMs),
    ms(time.backwardMs),
    ms(time.forwardMs + time.backwardMs),
    share(time.forwardMs + time.backwardMs),
    String(time.nodes),
  ]);
  const total = (forwardMs ?? 0) + (backwardMs ?? 0);
  operatorRows.push([
    "all",
    ms(forwardMs ?? 0),
    ms(backwardMs ?? 0),
    ms(total),
    share(total),
    String(forward.length + backward.length),
  ]);
  const longest = [...labelled("forward", forward), ...labelled("backward", backward)]
    .sort((a, b) => b.time.ms - a.time.ms)
    .slice(0, TOP_NODES)
    .map(({ pass, time }) => [time.operator, pass, ms(time.ms), time.gflops?.toFixed(0) ?? "", time.shapes]);
  return [
    textTable([["phase", "ms", "of a step"], ...phaseRows], [1, 2]),
    textTable(
      [["operator", "forward ms", "backward ms", "sum ms", "of a step", "nodes"], ...operatorRows],
      [1, 2, 3, 4, 5],
    ),
    textTable([["longest nodes", "pass", "ms", "GFLOP/s", "shapes"], ...longest], [2, 3]),
  ].join("\n\n");
}

const labelled = (pass: string, nodes: readonly NodeTime[]) => nodes.map((time) => ({ pass, time }));
