import { GmcError, TraceError } from "@gmc/core";
import type { KernelConfig, KernelFunc, Tensor4D, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Rows and columns of zeros around an image, one pair an axis of NHWC. */
type Padding = [[number, number], [number, number], [number, number], [number, number]];

/**
 * Wraps every kernel of a backend: what one throws names its op, and convolutions take numbers of zeros as padding, which
 * tfjs-node refuses beside 'same' and 'valid'.
 */
export function mendKernels(backendName: string): void {
  for (const kernel of tf.getKernelsForBackend(backendName)) {
    const kernelFunc = naming(kernel.kernelName, MENDED[kernel.kernelName]?.(kernel.kernelFunc) ?? kernel.kernelFunc);
    tf.unregisterKernel(kernel.kernelName, backendName);
    tf.registerKernel({ ...kernel, kernelFunc } satisfies KernelConfig);
  }
}

const naming =
  (kernelName: string, run: KernelFunc): KernelFunc =>
  (params) => {
    try {
      return run(params);
    } catch (cause) {
      if (cause instanceof GmcError) throw cause;
      const reason = cause instanceof Error ? cause.message.replaceAll(/\s+/g, " ").trim() : String(cause);
      throw new TraceError(
        `TensorFlow cannot run the op ${kernelName}: ${reason}. Write it with other tfjs ops, or set engine.kind to "onnxruntime".`,
        { operation: kernelName },
        { cause },
      );
    }
  };

const MENDED: Readonly<Record<string, (run: KernelFunc) => KernelFunc>> = {
  Conv2D: (run) => (params) => {
    const padding = zerosAround(params.attrs);
    if (!padding) return run(params);
    const x = given(params.inputs, "x");
    return tf.tidy(() =>
      single(run({ ...params, inputs: { ...params.inputs, x: tf.pad(x, padding) }, attrs: valid(params.attrs) })),
    );
  },
  Conv2DBackpropFilter: (run) => (params) => {
    const padding = zerosAround(params.attrs);
    if (!padding) return run(params);
    const x = given(params.inputs, "x");
    return tf.tidy(() =>
      single(run({ ...params, inputs: { ...params.inputs, x: tf.pad(x, padding) }, attrs: valid(params.attrs) })),
    );
  },
  Conv2DBackpropInput: (run) => (params) => {
    const padding = zerosAround(params.attrs);
    if (!padding) return run(params);
    const shape = (params.attrs as unknown as { inputShape: number[] }).inputShape;
    const inputShape = shape.map((size, axis) => size + (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0));
    return tf.tidy(() => {
      const padded = single(run({ ...params, attrs: { ...valid(params.attrs), inputShape } }));
      return tf.slice(
        padded,
        padding.map(([before]) => before),
        shape,
      );
    });
  },
};

/** The padding of a convolution's attributes where it is numbers; undefined for 'same' and 'valid'. */
function zerosAround(attrs: unknown): Padding | undefined {
  const { pad, dataFormat } = attrs as { pad: string | number | Padding; dataFormat: string };
  if (typeof pad === "string" || dataFormat !== "NHWC") return undefined;
  return typeof pad === "number"
    ? [
        [0, 0],
        [pad, pad],
        [pad, pad],
        [0, 0],
      ]
    : pad;
}

const valid = (attrs: tf.NamedAttrMap = {}): tf.NamedAttrMap => ({ ...attrs, pad: "valid" });
const given = (inputs: Parameters<KernelFunc>[0]["inputs"], name: string): Tensor4D => inputs[name] as Tensor4D;
const single = (result: TensorInfo | TensorInfo[]): Tensor4D =>
  (Array.isArray(result) ? result[0] : result) as Tensor4D;
