import type { Model, TrainState } from "@gmc/core";
import { CheckpointError, sameShape, tensorLayout } from "@gmc/core";
import type { NamedTensor, SafetensorsFile } from "@gmc/storage";
import { readSafetensors, writeSafetensors } from "@gmc/storage";

/** What the tensor file of a step holds: a pure function of the step. The loop's progress stands in the pointer to it. */
export type CheckpointTensors = Omit<TrainState, "progress">;

const FORMAT = { format: "gmc-checkpoint", version: "1" };

/** Blocks of the file: a tensor `parameter.NAME`, `firstMoment.NAME`, `secondMoment.NAME` for each parameter, `buffer.NAME` for each buffer. */
const BLOCKS = [
  { prefix: "parameter", field: "parameters", of: "parameters" },
  { prefix: "firstMoment", field: "firstMoment", of: "parameters" },
  { prefix: "secondMoment", field: "secondMoment", of: "parameters" },
  { prefix: "buffer", field: "buffers", of: "buffers" },
] as const;

/** Writes the file atomically; equal states give equal bytes. */
export async function writeCheckpointFile(path: string, model: Model, state: CheckpointTensors): Promise<void> {
  const tensors = BLOCKS.flatMap(({ prefix, field, of }) =>
    tensorLayout(model[of]).entries.map(
      ({ name, shape, start, end }): NamedTensor => ({
        name: `${prefix}.${name}`,
        shape,
        data: state[field].subarray(start, end),
      }),
    ),
  );
  const numbers = { step: state.step, beta1Power: state.beta1Power, beta2Power: state.beta2Power };
  const texts = Object.entries(numbers).map(([name, value]) => [name, JSON.stringify(value)]); // the shortest text that reads back exactly
  await writeSafetensors(path, tensors, { ...FORMAT, ...Object.fromEntries(texts) });
}

/** Reads the file of a model's state. @throws {CheckpointError} when it is another model's, or no checkpoint */
export async function readCheckpointFile(path: string, model: Model): Promise<CheckpointTensors> {
  const file = await readSafetensors(path).catch((cause: unknown) => {
    throw new CheckpointError(`${path} cannot be read: ${(cause as Error).message}`, { path }, { cause });
  });
  if (file.metadata.format !== FORMAT.format || file.metadata.version !== FORMAT.version) {
    throw new CheckpointError(`${path} is not a checkpoint of version ${FORMAT.version}.`, { path });
  }
  const [parameters, firstMoment, secondMoment, buffers] = BLOCKS.map((block) => readBlock(path, model, file, block));
  if (!parameters || !firstMoment || !secondMoment || !buffers) throw new CheckpointError(`${path} is incomplete.`);
  const number = (name: string): number => {
    const value = Number(file.metadata[name]);
    if (Number.isFinite(value)) return value;
    throw new CheckpointError(`${path}: expected a number "${name}", received ${file.metadata[name]}.`, { path, name });
  };
  return {
    step: number("step"),
    parameters,
    firstMoment,
    secondMoment,
    buffers,
    beta1Power: number("beta1Power"),
    beta2Power: number("beta2Power"),
  };
}

function readBlock(path: string, model: Model, file: SafetensorsFile, { prefix, of }: (typeof BLOCKS)[number]) {
  const layout = tensorLayout(model[of]);
  const stored = [...file.tensors.keys()].filter((name) => name.startsWith(`${prefix}.`));
  const unknown = stored.find((name) => !layout.entries.some((entry) => `${prefix}.${entry.name}` === name));
  if (unknown) throw anotherModel(path, `it holds ${unknown}, which this model does not have`);
  const flat = new Float32Array(layout.length);
  for (const { name, shape, start } of layout.entries) {
    const tensor = file.tensors.get(`${prefix}.${name}`);
    if (!tensor) throw anotherModel(path, `it lacks ${prefix}.${name}`);
    if (!sameShape(tensor.shape, shape) || !(tensor.data instanceof Float32Array)) {
      throw anotherModel(path, `${prefix}.${name} is ${tensor.dtype} [${tensor.shape}], expected float32 [${shape}]`);
    }
    flat.set(tensor.data, start);
  }
  return flat;
}

const anotherModel = (path: string, why: string): CheckpointError =>
  new CheckpointError(`${path} belongs to another model: ${why}.`, { path });
