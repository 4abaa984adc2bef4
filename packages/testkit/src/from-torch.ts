import type { Inputs, Range, Shape } from "@gmc/core";
import { sizeOf, tensorLayout, tensorViews } from "@gmc/core";
import type { GoldenModel } from "./golden-model.ts";
import type { TensorFile } from "./tensor-file.ts";
import { tensorOf } from "./tensor-file.ts";

/**
 * Our tensors from PyTorch's: every `${prefix}NAME` of the file under our name and in our layout (convolutions
 * OIHW → HWIO, linear [out, in] → [in, out], features behind a flattening CHW → HWC).
 * Parameters, gradients and running buffers alike.
 */
export function fromTorch(golden: GoldenModel, file: TensorFile, prefix: string): Record<string, Float32Array> {
  const ours: Record<string, Float32Array> = {};
  for (const [name, { shape, data }] of file.tensors) {
    if (!name.startsWith(prefix)) continue;
    const torchName = name.slice(prefix.length);
    ours[nameFromTorch(torchName)] = relaid(golden, torchName, shape, data);
  }
  return ours;
}

/**
 * Our name of a PyTorch tensor: "image.2.weight" → "image.conv1.weight", "joint_sound.1.running_var" →
 * "joint.sound.norm0.variance", "head.4.bias" → "head.dense2.bias".
 *
 * @throws {RangeError} for a name the golden models do not have
 */
export function nameFromTorch(torchName: string): string {
  const [block = "", ...rest] = torchName.split(".");
  const field = rest.at(-1) ?? "";
  if (block.endsWith("_out")) return `${block.slice(0, -"_out".length)}.projection.${field}`;
  const module = Number(rest[0]);
  const part = block.replace("joint_", "joint.");
  const modality = block.replace("joint_", "");
  if (modality === "image") return `${part}.conv${module / 2}.${field}`;
  if (modality === "sound") {
    const layer = Math.floor(module / 3); // modules: convolution, batch norm, ReLU
    return module % 3 === 0 ? `${part}.conv${layer}.${field}` : `${part}.norm${layer}.${normFields[field] ?? field}`;
  }
  if (modality === "trajectory" || modality === "head") return `${part}.dense${module / 2}.${field}`;
  throw new RangeError(`nameFromTorch: no golden model has a tensor ${torchName}`);
}

const normFields: Readonly<Record<string, string>> = {
  weight: "scale",
  bias: "shift",
  running_mean: "mean",
  running_var: "variance",
};

function relaid(golden: GoldenModel, torchName: string, shape: Shape, data: Float32Array): Float32Array {
  if (shape.length === 4) return permuted(data, shape, [2, 3, 1, 0]); // OIHW → HWIO
  if (shape.length !== 2) return data;
  const block = torchName.split(".")[0] ?? "";
  const transposed = permuted(data, shape, [1, 0]); // [in, out], inputs still in PyTorch's order
  const [outputs = 0] = shape;
  if (!block.endsWith("_out")) return transposed;
  const source = block.slice(0, -"_out".length);
  const inputs = golden.modalities.filter(({ name }) => source === "joint" || source === name);
  const ours = new Float32Array(transposed.length);
  let start = 0;
  for (const { flattened } of inputs) {
    const end = start + sizeOf(flattened) * outputs;
    const rows = transposed.subarray(start, end);
    const [height = 0, width = 0, channels = 0] = flattened;
    ours.set(flattened.length === 3 ? permuted(rows, [channels, height, width, outputs], [1, 2, 0, 3]) : rows, start);
    start = end;
  }
  if (start !== data.length) throw new RangeError(`fromTorch: ${torchName} [${shape}] does not fit the golden model`);
  return ours;
}

/** The tensor with its axes in the order `axes`: axis i of the result is axis `axes[i]` of `data`. */
export function permuted(data: Float32Array, shape: Shape, axes: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const out = new Float32Array(data.length);
  let next = 0;
  const walk = (depth: number, offset: number): void => {
    const axis = axes[depth];
    if (axis === undefined) {
      out[next++] = data[offset] ?? Number.NaN;
      return;
    }
    for (let i = 0; i < (shape[axis] ?? 0); i++) walk(depth + 1, offset + i * (strides[axis] ?? 0));
  };
  walk(0, 0);
  return out;
}

/**
 * The batch of a golden file, channels last.
 *
 * @param rows  only these samples, for instance one shard's; absent: all
 */
export function goldenInputs(golden: GoldenModel, file: TensorFile, rows?: Range): Inputs {
  return Object.fromEntries(
    golden.modalities.map(({ name, shape }) => {
      const stored = tensorOf(file, `input.${name}`);
      const [height = 0, width = 0, channels = 0] = shape;
      const data =
        shape.length === 3
          ? permuted(stored.data, [stored.shape[0] ?? 0, channels, height, width], [0, 2, 3, 1]) // NCHW → NHWC
          : stored.data;
      const size = sizeOf(shape);
      return [name, rows ? data.slice(rows.start * size, rows.end * size) : data];
    }),
  );
}

/**
 * One flat vector of tensors by name, in the order of `specs` (`model.parameters`, `model.buffers`).
 *
 * @throws {RangeError} when one is missing or has another size
 */
export function packTensors(
  specs: readonly { readonly name: string; readonly shape: Shape }[],
  tensors: Readonly<Record<string, Float32Array>>,
): Float32Array {
  const layout = tensorLayout(specs);
  const flat = new Float32Array(layout.length);
  for (const [name, view] of Object.entries(tensorViews(layout, flat))) {
    const tensor = tensors[name];
    if (tensor?.length !== view.length) {
      throw new RangeError(
        `packTensors: expected ${view.length} values for ${name}, received ${tensor?.length ?? "none"}`,
      );
    }
    view.set(tensor);
  }
  return flat;
}
