export { canonicalJson, sha256OfJson } from "./canonical-json.ts";
export type {
  CompiledModel,
  ComputeDevice,
  ContrastiveShape,
  Cotangent,
  Encoder,
  GradientBlocks,
  Replica,
  ShardForward,
  ThreadedLoss,
  UpdateRule,
} from "./engine.ts";
export type { EncodedError } from "./error-transport.ts";
export { decodeError, encodeError } from "./error-transport.ts";
export type { ErrorDetails } from "./errors.ts";
export {
  CancelledError,
  CheckpointError,
  ConfigError,
  DataError,
  DivergenceError,
  EnvironmentError,
  GmcError,
  NonFiniteError,
  PeerLostError,
  ShapeError,
  StaleGenerationError,
  TraceError,
  UsageError,
} from "./errors.ts";
export type { Logger } from "./logger.ts";
export { silentLogger } from "./logger.ts";
export { isLoopback } from "./loopback.ts";
export type {
  BufferSpec,
  ContrastiveSpec,
  Encoding,
  ForwardResult,
  Initialiser,
  InputSpec,
  Inputs,
  Model,
  ParameterSpec,
  Present,
  Tensors,
} from "./model.ts";
export type { RandomKey } from "./random.ts";
export { integerAt, normalAt, permutation, randomKey, threefry, uniformAt } from "./random.ts";
export type { Range, Shape } from "./shapes.ts";
export { sameShape, sizeOf } from "./shapes.ts";
export type { LayoutEntry, TensorLayout } from "./tensor-layout.ts";
export { partRanges, tensorLayout, tensorViews } from "./tensor-layout.ts";
export type { TrainProgress, TrainState } from "./train-state.ts";
export { initialTrainState, weightsSha256 } from "./train-state.ts";
export { addInto, treeSplit, treeSum, treeSumScalars } from "./tree-sum.ts";
export { Wake } from "./wake.ts";
