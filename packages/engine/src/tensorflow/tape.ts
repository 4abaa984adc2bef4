import { ShapeError, sameShape, TraceError } from "@gmc/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** One op that was called while a tape was running, as tfjs writes it down. */
type TapeNode = NonNullable<ReturnType<typeof tf.engine>["state"]["activeTape"]>[number];

/** What a forward did, from some tensors to others: enough to go back later. */
export interface Tape {
  readonly nodes: readonly TapeNode[];
}

/**
 * Runs `forward` and writes down the ops on the way from the tensors `from` to those that `to` picks of its result. What
 * their gradients need stays until `GradientWalk` has used it, or `releaseTape` is called. To be called inside `tf.tidy`.
 *
 * tfjs's own autodiff goes back at once; here everybody's forward comes before anybody's backward.
 */
export function recordTape<T>(
  from: readonly Tensor[],
  forward: () => T,
  to: (result: T) => readonly Tensor[],
): { readonly result: T; readonly tape: Tape } {
  const { state } = tf.engine();
  if (state.gradientDepth > 0) throw new TypeError("recordTape: a gradient is being taken already.");
  state.activeTape = [];
  state.gradientDepth++;
  const all = state.activeTape;
  try {
    const result = forward();
    const nodes = nodesBetween(all, from, to(result));
    const used = new Set(nodes);
    releaseSaved(all.filter((node) => !used.has(node)));
    return { result, tape: { nodes } };
  } catch (error) {
    releaseSaved(all);
    throw error;
  } finally {
    state.gradientDepth--;
    state.activeTape = null as never; // as tfjs leaves it
  }
}

/** Lets go of what a tape that nobody walked back has saved. */
export const releaseTape = ({ nodes }: Tape): void => releaseSaved(nodes);

/**
 * Goes back along a tape, as far as is asked for, and adds up every tensor's gradient. Saved tensors and gradients that no
 * longer count are released on the way.
 */
export class GradientWalk {
  readonly #nodes: readonly TapeNode[];
  readonly #gradients: Map<number, Tensor>;
  #next: number;

  /** @param seeds  gradients of the results, by tensor id; the walk owns them */
  constructor({ nodes }: Tape, seeds: ReadonlyMap<number, Tensor>) {
    this.#nodes = nodes;
    this.#gradients = new Map(seeds);
    this.#next = nodes.length - 1;
  }

  /** Goes back up to and including node `index`. To be called inside no `tf.tidy`. */
  backTo(index: number): void {
    for (; this.#next >= index; this.#next--) {
      const node = this.#nodes[this.#next];
      if (node) this.#differentiate(node);
    }
  }

  /** The gradient of a tensor, the caller's from now on; undefined where there is none. */
  take(id: number): Tensor | undefined {
    const gradient = this.#gradients.get(id);
    this.#gradients.delete(id);
    return gradient;
  }

  /** Releases all that is left. */
  close(): void {
    releaseSaved(this.#nodes.slice(0, this.#next + 1));
    for (const gradient of this.#gradients.values()) gradient.dispose();
    this.#gradients.clear();
    this.#next = -1;
  }

  #differentiate(node: TapeNode): void {
    const dys = node.outputs.map(({ id }) => this.take(id));
    try {
      if (dys.every((dy) => dy === undefined)) return; // nothing that came after had a gradient
      const inputs = Object.entries(node.inputs);
      const dxs = inputGradients(node, dys as Tensor[]);
      for (const [i, [, x]] of inputs.entries()) {
        const dx = dxs[i];
        if (dx) this.#add(x.id, dx);
      }
    } finally {
      for (const dy of dys) dy?.dispose();
      releaseSaved([node]);
    }
  }

  #add(id: number, term: Tensor): void {
    const sum = this.#gradients.get(id);
    if (!sum) {
      this.#gradients.set(id, term);
      return;
    }
    this.#gradients.set(id, tf.add(sum, term));
    sum.dispose();
    term.dispose();
  }
}

/** Gradients of a node's inputs, in their order, each a tensor of its own. */
function inputGradients(node: TapeNode, dys: Tensor[]): Tensor[] {
  return tf.tidy(() => {
    if (!node.gradient) {
      throw new TraceError(
        `The op ${node.kernelName} has no gradient, but a parameter lies behind it. Write it with other tfjs ops, or wrap it in tf.customGrad.`,
        { operation: node.kernelName },
      );
    }
    const gradients = node.gradient(dys);
    const known = new Set([...dys, ...(node.saved ?? [])]);
    return Object.entries(node.inputs).map(([name, x]) => {
      const dx = gradients[name]?.();
      if (!dx)
        throw new TraceError(`tfjs cannot differentiate ${node.kernelName} in ${name}.`, {
          operation: node.kernelName,
        });
      if (!sameShape(dx.shape, x.shape))
        throw new ShapeError(`Gradient of ${node.kernelName} in ${name}`, x.shape, dx.shape);
      if (!known.has(dx)) {
        known.add(dx);
        return dx;
      }
      return tf.clone(dx); // a gradient that hands on dy or what was saved, or gives one tensor twice
    });
  });
}

/** The nodes on a way from one of the tensors to another, with no inputs but those on the way. */
function nodesBetween(tape: readonly TapeNode[], from: readonly Tensor[], to: readonly Tensor[]): TapeNode[] {
  const reached = new Set(from.map(({ id }) => id));
  const after = tape.filter((node) => {
    const depends = Object.values(node.inputs).some(({ id }) => reached.has(id));
    if (depends) for (const { id } of node.outputs) reached.add(id);
    return depends;
  });
  const leading = new Set(to.map(({ id }) => id));
  const nodes: TapeNode[] = [];
  for (const node of after.reverse()) {
    if (!node.outputs.some(({ id }) => leading.has(id))) continue;
    const inputs = Object.entries(node.inputs).filter(([, { id }]) => reached.has(id));
    for (const [, { id }] of inputs) leading.add(id);
    node.inputs = Object.fromEntries(inputs);
    nodes.push(node);
  }
  return nodes.reverse();
}

function releaseSaved(nodes: readonly TapeNode[]): void {
  for (const { saved = [] } of nodes) for (const tensor of saved) tensor.dispose();
}
