import type { InputSpec, Model, Present, Range, Shape, Tensors } from "@gmc/core";
import { ShapeError, sameShape, TraceError, tensorLayout } from "@gmc/core";
import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "./ir/value.ts";
import { uniformOf } from "./ir/value.ts";
import type { Program } from "./onnx/emit.ts";
import { emitProgram } from "./onnx/emit.ts";
import { tensorNames } from "./tensor-names.ts";
import type { Tracing } from "./trace/trace.ts";
import { trace } from "./trace/trace.ts";
import type { CutTraining } from "./training-cut.ts";
import { cutTraining } from "./training-cut.ts";

/** A model's training step for one number of rows, cut at the embeddings, and each half by part. */
export interface TrainingProgram extends CutTraining {
  readonly inputs: readonly InputSpec[];
  /** [M+1, rows, d], where the model has embeddings. */
  readonly embeddingsShape?: Shape;
  readonly hasLocalLoss: boolean;
  readonly hasStatistics: boolean;
  /** Ranges of the flat gradient that no program writes: parameters that the objective does not depend on. */
  readonly zeroGradient: readonly Range[];
}

/** A model's encoding for one number of rows and one set of modalities. */
export interface EncodingProgram {
  readonly program: Program;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
}

/**
 * Traces `model.forward` on `rows` rows and its gradient by tfjs's autodiff, seeded as that of
 * Σ embeddings·dz + localWeight·localLoss, and cuts the graph into a forward and a backward half,
 * and each half into programs by the model's parts.
 *
 * @param byPart  false: each half stays one program, with the same bits
 * @throws {TraceError} when the model cannot be traced, or gives neither embeddings nor a local loss
 * @throws {ShapeError} when the embeddings or statistics do not have the shapes that the model declares
 */
export function traceTraining(model: Model, rows: number, byPart = true): TrainingProgram {
  const traced = trace((tracing) => traceForwardAndBackward(tracing, model, rows));
  const { results, gradients } = traced;
  const wanted = new Map<string, Value>();
  const zeroGradient: Range[] = [];
  for (const { name, start, end } of tensorLayout(model.parameters).entries) {
    const gradient = gradients.get(name);
    if (!gradient || uniformOf(gradient) === 0) zeroGradient.push({ start, end });
    else wanted.set(name, gradient);
  }
  const embeddings = results.get(tensorNames.embeddings);
  return {
    ...cutTraining({ ...traced, gradients: wanted }, model, byPart),
    inputs: model.inputs(rows, "train"),
    ...(embeddings ? { embeddingsShape: embeddings.shape } : {}),
    hasLocalLoss: results.has(tensorNames.localLoss),
    hasStatistics: model.buffers.length > 0,
    zeroGradient,
  };
}

/** Traces `model.encode` on `rows` rows of the modalities in `present`. @throws {TraceError} */
export function traceEncoding(model: Model, rows: number, present: Present): EncodingProgram {
  const inputs = model.inputs(rows, present);
  return trace((tracing) => {
    const { parameters, buffers } = stateTensors(tracing, model);
    const { code, outputs = {} } = model.encode(parameters, buffers, inputTensors(tracing, inputs), present);
    const results = new Map<string, Value>([[tensorNames.code, tracing.graphValue(code)]]);
    for (const [name, tensor] of Object.entries(outputs)) {
      results.set(tensorNames.output(name), tracing.graphValue(tensor));
    }
    return { program: emitProgram(tracing.graph, results), inputs, outputs: Object.keys(outputs) };
  });
}

function traceForwardAndBackward(tracing: Tracing, model: Model, rows: number) {
  const { graph, graphValue } = tracing;
  const { parameters, buffers } = stateTensors(tracing, model);
  const inputs = inputTensors(tracing, model.inputs(rows, "train"));
  const data = Object.values(inputs).map(graphValue);
  const results = new Map<string, Value>();
  const cotangents: Value[] = [];
  const cotangent = (name: string, shape: Shape) => {
    const tensor = tracing.input(name, shape);
    cotangents.push(graphValue(tensor));
    return tensor;
  };
  const objective = () => {
    const { embeddings, localLoss, batchStatistics = {} } = model.forward(parameters, buffers, inputs);
    checkStatistics(model, batchStatistics);
    for (const { name } of model.buffers) {
      const statistics = batchStatistics[name];
      if (statistics) results.set(tensorNames.statistics(name), graphValue(statistics));
    }
    const terms: tf.Tensor[] = [];
    if (embeddings) {
      checkEmbeddings(model, rows, embeddings.shape);
      results.set(tensorNames.embeddings, graphValue(embeddings));
      terms.push(tf.sum(tf.mul(embeddings, cotangent(tensorNames.dz, embeddings.shape))));
    }
    if (localLoss) {
      if (localLoss.size !== 1) throw new ShapeError("Model.forward: localLoss", [], localLoss.shape);
      const scalar = tf.reshape(localLoss, []);
      results.set(tensorNames.localLoss, graphValue(scalar));
      terms.push(tf.mul(scalar, cotangent(tensorNames.localWeight, [])));
    }
    if (terms.length === 0) {
      throw new TraceError("Model.forward returned neither embeddings nor a localLoss: there is nothing to train.");
    }
    return tf.addN(terms);
  };
  const trained = model.parameters.map(({ name }) => parameterTensor(parameters, name));
  const { grads } = tf.engine().gradients(objective, trained, undefined, true);
  const gradients = new Map<string, Value>();
  for (const [i, { name, shape }] of model.parameters.entries()) {
    const gradient: tf.Tensor | undefined = grads[i] ?? undefined;
    if (!gradient) continue;
    if (!sameShape(gradient.shape, shape)) throw new ShapeError(`Gradient of ${name}`, shape, gradient.shape);
    gradients.set(name, graphValue(gradient));
  }
  return { graph, results, gradients, cotangents, data };
}

function stateTensors(tracing: Tracing, model: Model): { parameters: Tensors; buffers: Tensors } {
  const symbols = (specs: readonly { name: string; shape: Shape }[], named: (name: string) => string) =>
    Object.fromEntries(specs.map(({ name, shape }) => [name, tracing.input(named(name), shape)]));
  return {
    parameters: symbols(model.parameters, tensorNames.parameter),
    buffers: symbols(model.buffers, tensorNames.buffer),
  };
}

const inputTensors = (tracing: Tracing, inputs: readonly InputSpec[]): Tensors =>
  Object.fromEntries(inputs.map(({ name, shape }) => [name, tracing.input(tensorNames.input(name), shape)]));

function parameterTensor(parameters: Tensors, name: string): tf.Tensor {
  const tensor = parameters[name];
  if (!tensor) throw new TraceError(`The model declares no parameter "${name}".`);
  return tensor;
}

function checkEmbeddings(model: Model, rows: number, shape: Shape): void {
  const expected = [model.modalities.length + 1, rows, shape[2] ?? 0];
  if (!sameShape(shape, expected)) throw new ShapeError("Model.forward: embeddings [M+1, rows, d]", expected, shape);
}

function checkStatistics(model: Model, statistics: Tensors): void {
  for (const { name, shape } of model.buffers) {
    const given = statistics[name];
    if (!given) {
      throw new TraceError(
        `Model.forward gives no batchStatistics for the buffer "${name}"; every buffer needs them.`,
        {
          buffer: name,
        },
      );
    }
    if (!sameShape(given.shape, shape)) {
      throw new ShapeError(`Model.forward: batchStatistics of "${name}"`, shape, given.shape);
    }
  }
}
