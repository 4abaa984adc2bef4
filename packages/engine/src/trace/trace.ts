import type { Shape } from "@gmc/core";
import { GmcError, TraceError } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import { Graph } from "../ir/graph.ts";
import type { DataType, Value } from "../ir/value.ts";
import { TraceBackend } from "./backend.ts";
import { registerGradients } from "./gradients.ts";
import { registerTraceKernels, TRACE_BACKEND } from "./register-kernels.ts";

/** What a traced function gets. */
export interface Tracing {
  readonly graph: Graph;
  /** A symbolic tensor that is given at every run of the graph. */
  input(name: string, shape: Shape, dtype?: DataType): tf.Tensor;
  /** The graph's value behind a tensor. */
  graphValue(tensor: tf.Tensor): Value;
}

/**
 * Runs `build` on symbolic tensors and returns what it returns: every tfjs op that it calls appends to `graph`. Synchronous;
 * tfjs's active backend is as before when it returns, and no tensor is left.
 *
 * @throws {TraceError} when `build` uses an op that the tracer does not know, asks for a tensor's value, or bakes in what
 *   looks like a random draw
 */
export function trace<T>(build: (tracing: Tracing) => T, graph: Graph = new Graph()): T {
  registerTraceKernels();
  registerGradients();
  const engine = tf.engine();
  const previous = tf.getBackend() as string | null;
  if (tf.findBackendFactory(TRACE_BACKEND)) throw new TraceError("A model cannot be traced while another one is.");
  const backend = new TraceBackend(graph);
  tf.registerBackend(TRACE_BACKEND, () => backend, 0);
  const tape = engine.state.activeTape;
  try {
    void tf.setBackend(TRACE_BACKEND); // takes effect at once: the factory is synchronous
    let result: { readonly value: T } | undefined;
    tf.tidy(() => {
      const value = build({
        graph,
        input: (name, shape, dtype) =>
          engine.makeTensorFromTensorInfo(backend.wrap(graph.input(name, shape, dtype)), backend),
        graphValue: (tensor) => backend.graphValue(tensor),
      });
      result = { value };
    });
    if (!result) throw new TraceError("The traced function did not return.");
    return result.value;
  } catch (error) {
    dropTape(tape);
    throw explain(error);
  } finally {
    tf.removeBackend(TRACE_BACKEND);
    if (previous) void tf.setBackend(previous);
  }
}

/** Disposes what a gradient that failed half-way had saved: tfjs forgets it. */
function dropTape(before: ReturnType<typeof tf.engine>["state"]["activeTape"]): void {
  const { state } = tf.engine();
  if (state.activeTape === before) return;
  for (const { saved = [] } of state.activeTape ?? []) for (const tensor of saved) tensor.dispose();
  state.activeTape = before;
}

/** tfjs's own complaints about missing kernels and gradients, as errors that say what to do. */
function explain(error: unknown): unknown {
  if (error instanceof GmcError || !(error instanceof Error)) return error;
  const kernel = /Kernel '(\w+)' not registered/.exec(error.message)?.[1];
  if (kernel !== undefined) {
    return new TraceError(
      `The op ${kernel} cannot be compiled: the tracer has no kernel for it. Write it with other tfjs ops, or add it to packages/engine/src/trace/kernels.`,
      { operation: kernel },
      { cause: error },
    );
  }
  const gradient = /gradient function not found for (\w+)/.exec(error.message)?.[1];
  if (gradient !== undefined) {
    return new TraceError(
      `The op ${gradient} has no gradient, but a parameter lies behind it. Write it with other tfjs ops, or wrap it in tf.customGrad.`,
      { operation: gradient },
      { cause: error },
    );
  }
  const wrong = /Error in gradient (?:for op|of) (\w+)/.exec(error.message)?.[1];
  if (wrong !== undefined) {
    return new TraceError(
      `tfjs cannot differentiate ${wrong} here: ${error.message} Write it with other tfjs ops, or wrap it in tf.customGrad.`,
      { operation: wrong },
      { cause: error },
    );
  }
  return error;
}
