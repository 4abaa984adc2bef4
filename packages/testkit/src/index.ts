export { supervisedContractModel, variationalContractModel } from "./contract-models.ts";
export { fromTorch, goldenInputs, nameFromTorch, packTensors, permuted } from "./from-torch.ts";
export type { BuildModel, GoldenConfig, GoldenModality, GoldenModel } from "./golden-model.ts";
export { goldenMhd, goldenMhdModel, goldenSmall, goldenSmallModel } from "./golden-model.ts";
export { randomInputs } from "./random-inputs.ts";
export { relativeError } from "./relative-error.ts";
export { fixturePath, sharedPath } from "./shared.ts";
export type { StoredTensor, TensorFile } from "./tensor-file.ts";
export { readTensorFile, scalarOf, tensorOf } from "./tensor-file.ts";
