import { expect, test } from "vitest";
import { unary } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import { openCApi } from "../runners/c-api.ts";
import { emitProgram } from "./emit.ts";
import { sumsAsAdds } from "./sums-as-adds.ts";

const graph = new Graph();
const terms = ["a", "b", "c", "d"].map((name) => graph.input(name, [2]));
const four = graph.node("Sum", terms, {}, [2]);
const two = graph.node("Sum", [four, graph.constant(Float32Array.of(0.5, 7), [2], "float32")], {}, [2]);
graph.output("four", four);
graph.output("root", unary(graph, "Sqrt", two));
const program = emitProgram(graph, graph.outputs);

test("sums become additions that give the same", async () => {
  const added = sumsAsAdds(program);
  expect(program.operations).toEqual({ Sum: 2, Sqrt: 1 });
  expect(added.operations).toEqual({ Add: 4, Sqrt: 1 });
  const runner = await openCApi(1);
  const results = [];
  for (const candidate of [program, added]) {
    const session = await runner.open(candidate);
    const [four, root] = [new Float32Array(2), new Float32Array(2)];
    const inputs = ["a", "b", "c", "d"].map((name, i) => [name, Float32Array.of(i, 10 * i)] as const);
    await session.bind(new Map([...inputs, ["four", four], ["root", root]])).run();
    results.push([four, root]);
    await session.release();
  }
  runner.close();
  expect(results[1]).toEqual([Float32Array.of(6, 60), Float32Array.of(Math.sqrt(6.5), Math.sqrt(67))]);
  expect(results[1]).toEqual(results[0]);
});

test("a program without sums is left as it is", () => {
  const plain = new Graph();
  plain.output("y", unary(plain, "Sqrt", plain.input("x", [2])));
  const given = emitProgram(plain, plain.outputs);
  expect(sumsAsAdds(given)).toBe(given);
});
