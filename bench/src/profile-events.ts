import { median } from "./statistics.ts";

/** One event of onnxruntime's profile; times in microseconds. */
export interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly TypeShape[];
    readonly output_type_shape?: readonly TypeShape[];
  };
}

/** `{ "float": [64, 784] }` */
type TypeShape = Readonly<Record<string, readonly number[]>>;

/** What one node of a graph takes. */
export interface NodeTime {
  readonly node: string;
  readonly operator: string;
  /** "[64,784] [784,512] → [64,512]" */
  readonly shapes: string;
  /** Median milliseconds. */
  readonly ms: number;
  /** Billions of floating-point operations a second; absent for what is no matrix product of two axes. */
  readonly gflops?: number;
}

/** Medians over the last `runs` runs in the profile of one session. @throws {RangeError} when it holds fewer */
export function nodeTimes(events: readonly ProfileEvent[], runs: number): NodeTime[] {
  const starts = events.filter(({ cat, name }) => cat === "Session" && name === "model_run").map(({ ts }) => ts);
  const first = starts.sort((a, b) => a - b).at(-runs);
  if (first === undefined || starts.length < runs) {
    throw new RangeError(`The profile holds ${starts.length} runs, expected ${runs} or more.`);
  }
  const measured = new Map<string, { event: ProfileEvent; microseconds: number[] }>();
  for (const event of events) {
    if (event.cat !== "Node" || event.ts < first || !event.name.endsWith("_kernel_time")) continue;
    const known = measured.get(event.name);
    if (known) known.microseconds.push(event.dur);
    else measured.set(event.name, { event, microseconds: [event.dur] });
  }
  return [...measured.values()].map(({ event, microseconds }) => nodeTime(event, median(microseconds) / 1000));
}

/** What all nodes of one kind take. */
export interface OperatorTime {
  readonly operator: string;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly nodes: number;
}

/** Milliseconds a step by operator, the longest first. */
export function operatorTimes(forward: readonly NodeTime[], backward: readonly NodeTime[]): OperatorTime[] {
  const sum = (nodes: readonly NodeTime[]) => nodes.reduce((total, { ms }) => total + ms, 0);
  const operators = [...new Set([...forward, ...backward].map(({ operator }) => operator))];
  return operators
    .map((operator) => {
      const [inForward, inBackward] = [forward, backward].map((pass) => pass.filter((n) => n.operator === operator));
      const nodes = (inForward?.length ?? 0) + (inBackward?.length ?? 0);
      return { operator, forwardMs: sum(inForward ?? []), backwardMs: sum(inBackward ?? []), nodes };
    })
    .sort((a, b) => b.forwardMs + b.backwardMs - a.forwardMs - a.backwardMs);
}

function nodeTime({ name, args = {} }: ProfileEvent, ms: number): NodeTime {
  const [inputs, outputs] = [args.input_type_shape, args.output_type_shape].map(shapesOf);
  const shapes = `${(inputs ?? []).map(shapeText).join(" ")} → ${(outputs ?? []).map(shapeText).join(" ")}`;
  const operator = args.op_name ?? "unknown";
  const operations = productOperations(operator, inputs ?? [], outputs ?? []);
  const speed = operations === undefined ? {} : { gflops: operations / ms / 1e6 };
  return { node: name.replace(/_kernel_time$/, ""), operator, shapes, ms, ...speed };
}

type Shapes = readonly (readonly number[])[];
const shapesOf = (list: readonly TypeShape[] = []): Shapes => list.flatMap((entry) => Object.values(entry));
const shapeText = (shape: readonly number[]): string => `[${shape.join(",")}]`;
const elements = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** 2·m·k·n of [m,k]·[k,n], whichever of the two is transposed: the three sizes are m·k, k·n and m·n. */
function productOperations(operator: string, inputs: Shapes, outputs: Shapes): number | undefined {
  const [a, b] = inputs;
  const [out] = outputs;
  if (!/Gemm|MatMul/.test(operator) || a?.length !== 2 || b?.length !== 2 || out?.length !== 2) return undefined;
  return 2 * Math.sqrt(elements(a) * elements(b) * elements(out));
}
