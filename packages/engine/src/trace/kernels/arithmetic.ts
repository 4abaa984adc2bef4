import { cast } from "../../ir/cast.ts";
import { arithmetic, compare, elu, logarithm, negate, scale, softplus, unary } from "../../ir/elementwise.ts";
import type { Graph } from "../../ir/graph.ts";
import type { Value } from "../../ir/value.ts";
import { expand, reshape } from "../../ir/views.ts";
import type { Kernel, KernelCall, KernelTable } from "../kernel.ts";
import { numberAttribute, operand, operands } from "../kernel.ts";

const add = (graph: Graph, a: Value, b: Value) => arithmetic(graph, "Add", a, b);
const multiply = (graph: Graph, a: Value, b: Value) => arithmetic(graph, "Mul", a, b);
const subtract = (graph: Graph, a: Value, b: Value) => arithmetic(graph, "Sub", a, b);
const one = (graph: Graph): Value => graph.uniform(1, []);

const floatOperand = (call: KernelCall): Value => cast(call.graph, operand(call, "x"), "float32");

/** A float function that ONNX has under the name `operation`. */
const float =
  (operation: string): Kernel =>
  (call) =>
    unary(call.graph, operation, floatOperand(call));

/** A function that keeps float32 and int32 apart. */
const typed =
  (operation: string): Kernel =>
  (call) =>
    unary(call.graph, operation, operand(call, "x"));

const binary =
  (operation: Parameters<typeof arithmetic>[1]): Kernel =>
  (call) =>
    arithmetic(call.graph, operation, operand(call, "a"), operand(call, "b"));

/** ONNX compares numbers; tfjs also orders booleans. */
const comparison =
  (operation: Parameters<typeof compare>[1]): Kernel =>
  (call) => {
    const numeric = (x: Value) => (x.dtype === "bool" ? cast(call.graph, x, "int32") : x);
    return compare(call.graph, operation, numeric(operand(call, "a")), numeric(operand(call, "b")));
  };

const logical =
  (operation: Parameters<typeof compare>[1]): Kernel =>
  (call) => {
    const truth = (x: Value) => cast(call.graph, x, "bool");
    return compare(call.graph, operation, truth(operand(call, "a")), truth(operand(call, "b")));
  };

const not = (graph: Graph, x: Value): Value => unary(graph, "Not", x, {}, "bool");

/** 1 above 0, else 0: a HardSigmoid so steep that it is exact, one multithreaded node. */
const step01 = (graph: Graph, x: Value): Value =>
  unary(graph, "HardSigmoid", x, { alpha: { float: 3e38 }, beta: { float: 0 } });

const step: Kernel = (call) => {
  const { graph } = call;
  const alpha = numberAttribute(call, "alpha", 0); // the value at and below 0
  const mask = step01(graph, cast(graph, operand(call, "x"), "float32"));
  return add(graph, scale(graph, mask, 1 - alpha), graph.uniform(Math.fround(alpha), []));
};

const clip = (graph: Graph, x: Value, low: number, high: number): Value =>
  graph.node("Clip", [x, graph.uniform(low, [], x.dtype), graph.uniform(high, [], x.dtype)], {}, x.shape, x.dtype);

/** ⌊a / b⌋; ONNX's integer division truncates, so integers go through float32 (exact up to 2^24). */
const floorDivide: Kernel = (call) => {
  const { graph } = call;
  const [a, b] = [operand(call, "a"), operand(call, "b")];
  const quotient = arithmetic(graph, "Div", cast(graph, a, "float32"), cast(graph, b, "float32"));
  return cast(graph, unary(graph, "Floor", quotient), a.dtype);
};

/** A condition of lower rank chooses whole rows, as tfjs has it. */
const select: Kernel = (call) => {
  const { graph } = call;
  const [condition, t, e] = [operand(call, "condition"), operand(call, "t"), operand(call, "e")];
  const rows = [...condition.shape, ...t.shape.slice(condition.shape.length).map(() => 1)];
  const chosen = reshape(graph, cast(graph, condition, "bool"), rows);
  return graph.node("Where", [chosen, t, expand(graph, e, t.shape)], {}, t.shape, t.dtype);
};

const SELU = { alpha: 1.7580993408473768 / 1.0507009873554805, gamma: 1.0507009873554805 };

/** Kernels that treat every element alike. */
export const arithmeticKernels: KernelTable = {
  Exp: float("Exp"),
  Log: (call) => logarithm(call.graph, floatOperand(call)),
  Sqrt: float("Sqrt"),
  Sigmoid: float("Sigmoid"),
  Tanh: float("Tanh"),
  Erf: float("Erf"),
  Sin: float("Sin"),
  Cos: float("Cos"),
  Tan: float("Tan"),
  Asin: float("Asin"),
  Acos: float("Acos"),
  Atan: float("Atan"),
  Sinh: float("Sinh"),
  Cosh: float("Cosh"),
  Asinh: float("Asinh"),
  Acosh: float("Acosh"),
  Atanh: float("Atanh"),
  Softplus: (call) => softplus(call.graph, floatOperand(call)),
  Reciprocal: float("Reciprocal"),
  Elu: (call) => elu(call.graph, floatOperand(call)),
  Floor: float("Floor"),
  Ceil: float("Ceil"),
  Round: float("Round"),
  Sign: typed("Sign"),
  Abs: typed("Abs"),
  Relu: typed("Relu"),
  Selu: (call) => scale(call.graph, elu(call.graph, floatOperand(call), SELU.alpha), SELU.gamma),
  Neg: (call) => negate(call.graph, operand(call, "x")),
  Identity: (call) => operand(call, "x"),
  Square: (call) => multiply(call.graph, operand(call, "x"), operand(call, "x")),
  Rsqrt: (call) => unary(call.graph, "Reciprocal", unary(call.graph, "Sqrt", operand(call, "x"))),
  Log1p: (call) => logarithm(call.graph, add(call.graph, operand(call, "x"), one(call.graph))),
  Expm1: (call) => subtract(call.graph, unary(call.graph, "Exp", operand(call, "x")), one(call.graph)),
  Step: step,
  LeakyRelu: (call) =>
    unary(call.graph, "LeakyRelu", operand(call, "x"), { alpha: { float: numberAttribute(call, "alpha") } }),
  Prelu: (call) => arithmetic(call.graph, "PRelu", operand(call, "x"), operand(call, "alpha")),
  EluGrad: (call) => {
    const { graph } = call;
    const slope = add(graph, arithmetic(graph, "Min", operand(call, "y"), graph.uniform(0, [])), one(graph));
    return multiply(graph, operand(call, "dy"), slope);
  },
  Relu6: (call) => clip(call.graph, operand(call, "x"), 0, 6),
  ClipByValue: (call) =>
    clip(call.graph, operand(call, "x"), numberAttribute(call, "clipValueMin"), numberAttribute(call, "clipValueMax")),
  IsNan: (call) => unary(call.graph, "IsNaN", operand(call, "x"), {}, "bool"),
  IsInf: (call) => unary(call.graph, "IsInf", operand(call, "x"), {}, "bool"),
  IsFinite: (call) => {
    const { graph } = call;
    const x = operand(call, "x");
    const [infinite, nan] = [unary(graph, "IsInf", x, {}, "bool"), unary(graph, "IsNaN", x, {}, "bool")];
    return not(graph, compare(graph, "Or", infinite, nan));
  },
  Add: binary("Add"),
  Sub: binary("Sub"),
  Multiply: binary("Mul"),
  RealDiv: binary("Div"),
  Pow: binary("Pow"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  AddN: (call) => operands(call).reduce((sum, x) => add(call.graph, sum, x)),
  FloorDiv: floorDivide,
  SquaredDifference: (call) => {
    const difference = subtract(call.graph, operand(call, "a"), operand(call, "b"));
    return multiply(call.graph, difference, difference);
  },
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessEqual: comparison("LessOrEqual"),
  Equal: comparison("Equal"),
  NotEqual: (call) => not(call.graph, comparison("Equal")(call) as Value),
  LogicalAnd: logical("And"),
  LogicalOr: logical("Or"),
  LogicalNot: (call) => not(call.graph, cast(call.graph, operand(call, "x"), "bool")),
  Select: select,
  Cast: (call) => {
    const dtype = call.attributes.dtype;
    if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") throw new TypeError(`Cast to ${String(dtype)}`);
    return cast(call.graph, operand(call, "x"), dtype);
  },
};
