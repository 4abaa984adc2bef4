import { arithmetic } from "../ir/elementwise.ts";
import { Graph } from "../ir/graph.ts";
import type { Program } from "../onnx/emit.ts";
import { emitProgram } from "../onnx/emit.ts";
import type { Session } from "./runner.ts";

/** y = x + x, four elements: what a device must be able to do. */
export const PROBE: Program = doublingProgram();

function doublingProgram(): Program {
  const graph = new Graph();
  const x = graph.input("x", [4]);
  return emitProgram(graph, new Map([["y", arithmetic(graph, "Add", x, x)]]));
}

/** Runs the probe. @throws {Error} when the device computes nonsense: it must not train anything */
export async function checkProbe(session: Session, device: string): Promise<void> {
  const y = new Float32Array(4);
  const binding = session.bind(
    new Map([
      ["x", Float32Array.of(1, -2, 3, 0.5)],
      ["y", y],
    ]),
  );
  await binding.run();
  binding.release();
  if (y.join() !== "2,-4,6,1") throw new Error(`${device} computed 2 · (1, -2, 3, 0.5) as (${y.join(", ")})`);
}
