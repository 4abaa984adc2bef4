import type { Model, Range } from "@gmc/core";
import type { Piece } from "./ir/cut.ts";
import { cutInPieces } from "./ir/cut.ts";
import type { Graph } from "./ir/graph.ts";
import { dependants } from "./ir/live.ts";
import type { Value } from "./ir/value.ts";
import type { Program } from "./onnx/emit.ts";
import { emitProgram } from "./onnx/emit.ts";
import { backwardOrder, backwardPieces, forwardPieces, partsOf } from "./pieces.ts";
import { tensorNames } from "./tensor-names.ts";

/** A training step in one graph. */
export interface TracedTraining {
  readonly graph: Graph;
  /** What the forward gives, by name. */
  readonly results: ReadonlyMap<string, Value>;
  /** By parameter name; none that is zero. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** Inputs that only the backward has. */
  readonly cotangents: readonly Value[];
  /** Inputs that carry the batch. */
  readonly data: readonly Value[];
}

/** One of the programs that a half of a training step is cut into. */
export interface PieceProgram {
  readonly program: Program;
  /** Numbers of the programs of the same half that come before it. */
  readonly after: readonly number[];
}

/** The backward of one part of a model, or of all. */
export interface PartProgram extends PieceProgram {
  /** The parts' places in the flat gradient. */
  readonly ranges: readonly Range[];
}

/** A training step cut at the embeddings, and each half by part or not at all. */
export interface CutTraining {
  /** Parameters, buffers and inputs → embeddings, local loss, statistics and what the backward saves. */
  readonly forward: readonly PieceProgram[];
  /** What was saved, dz and localWeight → a part's gradients, and what later parts are given. */
  readonly backward: readonly PartProgram[];
  /** Parts that the objective does not read: all of their gradient is zero. */
  readonly idleParts: readonly Range[];
}

/**
 * Cuts a training step into programs: what depends on a cotangent is the backward half, the rest the forward half, which saves what the
 * backward half needs and does not compute again.
 *
 * @param byPart  false: each half is one program, with the same bits
 */
export function cutTraining(
  { graph, results, gradients, cotangents, data }: TracedTraining,
  model: Model,
  byPart: boolean,
): CutTraining {
  const later = dependants(graph.values, cotangents);
  const varying = dependants(graph.values, [...cotangents, ...data]);
  const earlier = new Set([...varying].filter((value) => !later.has(value)));
  const parts = partsOf(model, gradients);
  const trained = backwardOrder(
    parts.filter((part) => part.gradients.size > 0),
    later,
    varying,
  );
  const backward = cutInPieces(backwardPieces(trained, later), later, varying);
  const saved = backward.flatMap(({ given }) => given).filter((value) => earlier.has(value));
  const forwardOutputs = [...results.values(), ...saved].filter((value) => earlier.has(value));
  const forward = cutInPieces(forwardPieces(parts, forwardOutputs, varying), earlier, varying);

  const resultNames = new Map([...results].map(([name, value]) => [value, name]));
  const nameOf = (value: Value) => resultNames.get(value) ?? tensorNames.saved(value.id);
  const given = new Set([...forward, ...backward].flatMap((piece) => piece.given));
  const emit = ({ given: inputs, computed }: Piece, own: Iterable<readonly [string, Value]>): Program => {
    const handed = [...computed].filter((value) => given.has(value)).map((value) => [nameOf(value), value] as const);
    return emitProgram(graph, new Map([...own, ...handed]), new Map(inputs.map((value) => [value, nameOf(value)])));
  };
  const pieces = forward.length > 0 && byPart ? forward : [join(forward)];
  const apart = backward.map(({ part, ...piece }) => ({ parts: [part], piece }));
  const lastPieces = apart.length === 0 || byPart ? apart : [{ parts: trained, piece: join(backward) }];
  const makerOf = (value: Value) => pieces.find(({ computed }) => computed.has(value)) ?? pieces.at(-1); // the last: a constant, an input
  return {
    forward: pieces.map((piece) => ({
      program: emit(
        piece,
        [...results].filter(([, value]) => makerOf(value) === piece),
      ),
      after: piece.after,
    })),
    backward: lastPieces.map(({ parts: own, piece }) => ({
      ranges: own.map(({ range }) => range),
      program: emit(
        piece,
        own.flatMap((part) => [...part.gradients].map(([name, value]) => [tensorNames.gradient(name), value] as const)),
      ),
      after: piece.after,
    })),
    idleParts: parts.filter((part) => part.gradients.size === 0).map(({ range }) => range),
  };
}

/**
 * Pieces as one. What one gave another is still an output, so that onnxruntime fuses nothing across their borders: the bits stay
 * those of the pieces.
 */
function join(pieces: readonly Piece[]): Piece {
  const computed = new Set(pieces.flatMap((piece) => [...piece.computed]));
  const given = new Set(pieces.flatMap((piece) => piece.given).filter((value) => !computed.has(value)));
  const outputs = pieces.flatMap((piece) => piece.outputs);
  return { outputs, computed, given: [...given].sort((a, b) => a.id - b.id), after: [] };
}
