import { arithmetic } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import { reduce } from "../ir/reduce.ts";
import type { Program } from "../onnx/emit.ts";
import { emitProgram } from "../onnx/emit.ts";

/** A program of what `build` adds to an empty graph. */
export function program(build: (graph: Graph) => void): Program {
  const graph = new Graph();
  build(graph);
  return emitProgram(graph, graph.outputs);
}

/** y = x + x, a scalar: total = sum of x. */
export const doubling = program((graph) => {
  const x = graph.input("x", [3]);
  graph.output("y", arithmetic(graph, "Add", x, x));
  graph.output("total", reduce(graph, "ReduceSum", x, [0], false));
});
