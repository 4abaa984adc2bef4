import { expect, test } from "vitest";
import type { ProfileEvent } from "./profile-events.ts";
import { nodeTimes, operatorTimes } from "./profile-events.ts";

const run = (ts: number): ProfileEvent => ({ cat: "Session", name: "model_run", ts, dur: 90 });
const gemm = (ts: number, dur: number): ProfileEvent => ({
  cat: "Node",
  name: "n1_kernel_time",
  ts,
  dur,
  args: {
    op_name: "Gemm",
    input_type_shape: [{ float: [64, 100] }, { float: [200, 100] }, { float: [200] }],
    output_type_shape: [{ float: [64, 200] }],
  },
});
const relu = (ts: number, dur: number): ProfileEvent => ({
  cat: "Node",
  name: "n2_kernel_time",
  ts,
  dur,
  args: { op_name: "Relu", input_type_shape: [{ float: [64, 200] }], output_type_shape: [{ float: [64, 200] }] },
});
const events: ProfileEvent[] = [
  { cat: "Session", name: "session_initialization", ts: 0, dur: 5000 },
  ...[run(100), gemm(110, 9000), relu(120, 9000)], // the warm-up
  ...[run(200), gemm(210, 40), { cat: "Node", name: "n1_fence_before", ts: 209, dur: 1 }, relu(220, 10)],
  ...[run(300), gemm(310, 50), relu(320, 20)],
  ...[run(400), gemm(410, 70), relu(420, 30)],
];

test("a node's time is the median over the last runs, without the warm-up and the events beside the kernels", () => {
  expect(nodeTimes(events, 3)).toEqual([
    {
      node: "n1",
      operator: "Gemm",
      shapes: "[64,100] [200,100] [200] → [64,200]",
      ms: 0.05,
      gflops: expect.closeTo((2 * 64 * 100 * 200) / 50e-6 / 1e9, 6),
    },
    { node: "n2", operator: "Relu", shapes: "[64,200] → [64,200]", ms: 0.02 },
  ]);
});

test("a profile with fewer runs than asked for is refused", () => {
  expect(() => nodeTimes(events, 5)).toThrow(/holds 4 runs, expected 5/);
});

test("operators are sums of their nodes in both passes, the longest first", () => {
  const time = (operator: string, ms: number) => ({ node: "", operator, shapes: "", ms });
  const forward = [time("Add", 1), time("Gemm", 2), time("Add", 4)];
  expect(operatorTimes(forward, [time("Gemm", 8), time("Pad", 0.5)])).toEqual([
    { operator: "Gemm", forwardMs: 2, backwardMs: 8, nodes: 2 },
    { operator: "Add", forwardMs: 5, backwardMs: 0, nodes: 2 },
    { operator: "Pad", forwardMs: 0, backwardMs: 0.5, nodes: 1 },
  ]);
});
