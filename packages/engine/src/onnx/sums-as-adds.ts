import type { Program } from "./emit.ts";
import type { NodeProto } from "./schema.ts";
import { rewriteNodes } from "./schema.ts";

/** The program with every sum of several tensors as additions of two, first to last: WebGPU has no Sum. */
export function sumsAsAdds(program: Program): Program {
  const { Sum: sums = 0, ...operations } = program.operations;
  if (sums === 0) return program;
  let additions = 0;
  const bytes = rewriteNodes(program.bytes, (node) => {
    if (node.opType !== "Sum" || node.input.length < 2) return [node];
    const adds = addsOf(node);
    additions += adds.length;
    return adds;
  });
  return { ...program, bytes, operations: { ...operations, Add: (operations.Add ?? 0) + additions } };
}

function addsOf({ name, input, output: [result = ""] }: NodeProto): NodeProto[] {
  const last = input.length - 1;
  return input.slice(1).map((term, i) => ({
    name: `${name}_${i}`,
    opType: "Add",
    domain: "",
    input: [i === 0 ? (input[0] ?? "") : `${result}_sum${i - 1}`, term],
    output: [i === last - 1 ? result : `${result}_sum${i}`],
    attribute: [],
  }));
}
