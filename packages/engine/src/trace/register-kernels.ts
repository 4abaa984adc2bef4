import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "../ir/value.ts";
import { TraceBackend } from "./backend.ts";
import type { Kernel, KernelTable } from "./kernel.ts";
import { arithmeticKernels } from "./kernels/arithmetic.ts";
import { constantKernels } from "./kernels/constants.ts";
import { convolutionKernels } from "./kernels/convolution.ts";
import { denseKernels } from "./kernels/dense.ts";
import { indexingKernels } from "./kernels/indexing.ts";
import { poolingKernels } from "./kernels/pooling.ts";
import { reductionKernels } from "./kernels/reductions.ts";
import { viewKernels } from "./kernels/views.ts";

/** Name of the backend in tfjs's registries. */
export const TRACE_BACKEND = "trace";

/** Every kernel the tracer knows. */
export const traceKernels: KernelTable = {
  ...arithmeticKernels,
  ...viewKernels,
  ...constantKernels,
  ...reductionKernels,
  ...indexingKernels,
  ...denseKernels,
  ...convolutionKernels,
  ...poolingKernels,
};

/** Makes the kernels known to tfjs; a second call does nothing. */
export function registerTraceKernels(): void {
  for (const [kernelName, kernel] of Object.entries(traceKernels)) {
    if (tf.getKernel(kernelName, TRACE_BACKEND)) continue;
    tf.registerKernel({ kernelName, backendName: TRACE_BACKEND, kernelFunc: adapt(kernelName, kernel) });
  }
}

function adapt(kernelName: string, kernel: Kernel): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    if (!(backend instanceof TraceBackend)) throw new TypeError(`${kernelName}: the backend is not a trace`);
    const values: Record<string, Value | undefined> = {};
    for (const [name, tensor] of Object.entries(inputs)) values[name] = tensor ? backend.graphValue(tensor) : undefined;
    const result = kernel({ graph: backend.graph, kernelName, inputs: values, attributes: attrs ?? {} });
    return Array.isArray(result) ? result.map((value) => backend.wrap(value)) : backend.wrap(result as Value);
  };
}
