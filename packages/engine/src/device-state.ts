import type { Model, UpdateRule } from "@gmc/core";
import { tensorLayout } from "@gmc/core";
import { arithmetic, unary } from "./ir/elementwise.ts";
import { Graph } from "./ir/graph.ts";
import type { Value } from "./ir/value.ts";
import { reshape, slice } from "./ir/views.ts";
import type { AdamPowers, FlatMemory } from "./kernels/flat-memory.ts";
import { adamFactors } from "./kernels/flat-memory.ts";
import type { Program } from "./onnx/emit.ts";
import { emitProgram } from "./onnx/emit.ts";
import type { Binding, Place, Runner, Session } from "./runners/runner.ts";
import { tensorNames } from "./tensor-names.ts";

/** The vectors of a training state, each [P]. */
const VECTORS = ["parameters", "firstMoment", "secondMoment"] as const;
type Vector = (typeof VECTORS)[number];

/** What a step of Adam is told, a number each. */
const FACTORS = ["scale", "beta1", "oneMinusBeta1", "beta2", "oneMinusBeta2", "rate", "epsilon", "decay"] as const;

const GRADIENT = "gradient";
const next = (vector: Vector): string => `next/${vector}`;

/**
 * Parameters and moments in a device's memory, and Adam there. A buffer may not be read and written by one operation on
 * a GPU, so there are two sets of vectors, and a step goes from one to the other. The model's programs read the
 * parameters tensor by tensor; every step writes these too.
 */
export class DeviceState {
  /** The parameters, by the names that programs read them under. */
  readonly parameters: ReadonlyMap<string, Place>;
  readonly #sessions: readonly Session[];
  readonly #factors: ReadonlyMap<string, Float32Array>;
  readonly #load: Binding;
  readonly #store: readonly [Binding, Binding];
  readonly #adam: readonly [Binding, Binding];
  /** The set that holds the state. */
  #current: 0 | 1 = 0;

  /** @param memory  the host's side: `load` reads its vectors, `store` writes them, Adam reads its gradient */
  static async open(model: Model, runner: Runner, memory: FlatMemory): Promise<DeviceState> {
    const [load, store, adam] = [loadProgram(model), storeProgram(model), adamProgram(model)];
    const sessions: Session[] = [];
    for (const program of [load, store, adam]) sessions.push(await runner.open(program));
    return new DeviceState(adam, sessions as [Session, Session, Session], memory);
  }

  private constructor(adam: Program, sessions: readonly [Session, Session, Session], memory: FlatMemory) {
    const [loading, storing, updating] = sessions;
    const set = () => vectorsOf((vector) => updating.place({ name: vector, shape: [memory.length], dtype: "float32" }));
    const sets = [set(), set()] as const;
    const host = vectorsOf((vector) => memory[vector]);
    this.#sessions = sessions;
    this.parameters = new Map(
      adam.outputs.filter(({ name }) => !NEXT.has(name)).map((spec) => [spec.name, updating.place(spec)]),
    );
    this.#factors = new Map(FACTORS.map((name) => [name, new Float32Array(1)]));
    const places = (now: Vectors, then: Vectors): Map<string, Place> =>
      new Map<string, Place>([...now, ...VECTORS.map((name) => [next(name), placeIn(then, name)] as const)]);
    this.#load = loading.bind(new Map([...this.parameters, ...places(host, sets[0])]));
    this.#store = [storing.bind(places(sets[0], host)), storing.bind(places(sets[1], host))];
    const step = (from: 0 | 1) =>
      updating.bind(
        new Map<string, Place>([
          ...this.parameters,
          ...places(sets[from], sets[other(from)]),
          ...this.#factors,
          [GRADIENT, memory.gradient],
        ]),
      );
    this.#adam = [step(0), step(1)];
  }

  /** The host's vectors to the device. */
  async load(): Promise<void> {
    await this.#load.run();
    this.#current = 0;
  }

  /** The device's vectors to the host. */
  store(): Promise<void> {
    return this.#store[this.#current].run();
  }

  /** `FlatMemory.adamStep`, on the device. When it fails, the state is the one before. */
  async adamStep(rule: UpdateRule, powers: AdamPowers, scale: number): Promise<void> {
    const { beta1, beta2 } = rule;
    const values = {
      ...adamFactors(rule, powers),
      scale,
      beta1,
      beta2,
      oneMinusBeta1: 1 - beta1,
      oneMinusBeta2: 1 - beta2,
    };
    for (const name of FACTORS) this.#factors.get(name)?.fill(values[name]);
    await this.#adam[this.#current].run();
    this.#current = other(this.#current);
  }

  async release(): Promise<void> {
    for (const binding of [this.#load, ...this.#store, ...this.#adam]) binding.release();
    for (const session of this.#sessions) await session.release();
  }
}

type Vectors = ReadonlyMap<Vector, Place>;

const NEXT: ReadonlySet<string> = new Set(VECTORS.map(next));

const other = (set: 0 | 1): 0 | 1 => (set === 0 ? 1 : 0);

const vectorsOf = (place: (vector: Vector) => Place): Vectors =>
  new Map(VECTORS.map((vector) => [vector, place(vector)]));

function placeIn(vectors: Vectors, name: Vector): Place {
  const place = vectors.get(name);
  if (!place) throw new RangeError(`No place for ${name}.`);
  return place;
}

/** The vectors as they are, and the parameters tensor by tensor. */
function loadProgram(model: Model): Program {
  const { graph, vectors, outputs } = passing(model);
  for (const [name, value] of parameterTensors(graph, model, vectors.parameters)) outputs.set(name, value);
  return emitProgram(graph, outputs);
}

/** The vectors as they are. */
function storeProgram(model: Model): Program {
  const { graph, outputs } = passing(model);
  return emitProgram(graph, outputs);
}

function passing(model: Model) {
  const graph = new Graph();
  const vectors = vectorInputs(graph, model);
  return { graph, vectors, outputs: new Map(VECTORS.map((name) => [next(name), vectors[name]])) };
}

/** One step of Adam or AdamW: the formula of `kernels/wat/flat-memory.mjs`, product by product. */
function adamProgram(model: Model): Program {
  const graph = new Graph();
  const before = vectorInputs(graph, model);
  const [scale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, rate, epsilon, decay] = FACTORS.map((name) =>
    graph.input(name, []),
  ) as [Value, Value, Value, Value, Value, Value, Value, Value];
  const add = (a: Value, b: Value) => arithmetic(graph, "Add", a, b);
  const mul = (a: Value, b: Value) => arithmetic(graph, "Mul", a, b);
  const g = mul(graph.input(GRADIENT, before.parameters.shape), scale);
  const firstMoment = add(mul(before.firstMoment, beta1), mul(g, oneMinusBeta1));
  const secondMoment = add(mul(before.secondMoment, beta2), mul(mul(g, g), oneMinusBeta2));
  const step = arithmetic(graph, "Div", mul(firstMoment, rate), add(unary(graph, "Sqrt", secondMoment), epsilon));
  const parameters = arithmetic(graph, "Sub", mul(before.parameters, decay), step);
  const after = { parameters, firstMoment, secondMoment };
  return emitProgram(
    graph,
    new Map([
      ...VECTORS.map((name) => [next(name), after[name]] as const),
      ...parameterTensors(graph, model, parameters),
    ]),
  );
}

function vectorInputs(graph: Graph, model: Model): Readonly<Record<Vector, Value>> {
  const { length } = tensorLayout(model.parameters);
  const input = (name: Vector) => graph.input(name, [length]);
  return {
    parameters: input("parameters"),
    firstMoment: input("firstMoment"),
    secondMoment: input("secondMoment"),
  };
}

const parameterTensors = (graph: Graph, model: Model, flat: Value): (readonly [string, Value])[] =>
  tensorLayout(model.parameters).entries.map(({ name, shape, start, end }) => [
    tensorNames.parameter(name),
    reshape(graph, slice(graph, flat, [start], [end - start]), shape),
  ]);
