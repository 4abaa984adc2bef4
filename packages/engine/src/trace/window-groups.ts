/** One axis of the sliding windows of a convolution; a *tap* is a place in the window. */
export interface WindowAxis {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before the first input. */
  readonly before: number;
}

/** Outputs whose windows have the same taps inside the input. */
export interface OutputGroup {
  readonly outputs: readonly number[];
  readonly taps: readonly number[];
}

/** Inputs that the same outputs see. */
export interface InputBlock {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** Blocks that are seen in the same way. */
export interface InputGroup {
  readonly blocks: readonly InputBlock[];
  /** [input of a block][output of a block] → the tap at which that output sees that input */
  readonly taps: readonly (readonly number[])[];
}

/** The input that an output sees at a tap; it may lie in the padding. */
export const inputAt = (axis: WindowAxis, output: number, tap: number): number =>
  output * axis.stride + tap * axis.dilation - axis.before;

const isInside = (axis: WindowAxis, input: number): boolean => input >= 0 && input < axis.inputs;

/** All outputs, in groups by the taps that see no padding: the first rows, those between, the last ones. */
export function outputGroups(axis: WindowAxis): OutputGroup[] {
  const groups = new Map<string, { outputs: number[]; taps: number[] }>();
  for (const output of range(axis.outputs)) {
    const taps = range(axis.taps).filter((tap) => isInside(axis, inputAt(axis, output, tap)));
    groupFor(groups, taps.join(), () => ({ outputs: [], taps })).outputs.push(output);
  }
  return [...groups.values()];
}

/**
 * All inputs, in blocks that the same outputs see, in groups of equal blocks. With stride s and a kernel of a multiple of s, a block is s
 * neighbours, and every group is one matrix product: contents of the outputs times the filter, rearranged.
 */
export function inputGroups(axis: WindowAxis): InputGroup[] {
  const blocks = new Map<string, { inputs: number[]; outputs: number[]; taps: number[][] }>();
  for (const input of range(axis.inputs)) {
    const seen = range(axis.outputs).flatMap((output) =>
      range(axis.taps)
        .filter((tap) => inputAt(axis, output, tap) === input)
        .map((tap) => ({ output, tap })),
    );
    const outputs = seen.map(({ output }) => output);
    const block = groupFor(blocks, outputs.join(), () => ({ inputs: [], outputs, taps: [] }));
    block.inputs.push(input);
    block.taps.push(seen.map(({ tap }) => tap));
  }
  const groups = new Map<string, { blocks: InputBlock[]; taps: number[][] }>();
  for (const { inputs, outputs, taps } of blocks.values()) {
    groupFor(groups, JSON.stringify(taps), () => ({ blocks: [], taps })).blocks.push({ inputs, outputs });
  }
  return [...groups.values()];
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

function groupFor<G>(groups: Map<string, G>, key: string, make: () => G): G {
  const known = groups.get(key);
  if (known) return known;
  const made = make();
  groups.set(key, made);
  return made;
}
