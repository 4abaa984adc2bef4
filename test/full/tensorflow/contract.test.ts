import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import { goldenSmallModel, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import { describe } from "vitest";
import { describeReplica } from "../../support/describe-replica.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

const MODELS = {
  "supervised (local loss, masks, noise)": supervisedContractModel,
  "variational (no embeddings, batch statistics)": variationalContractModel,
  "small GMC": () => goldenSmallModel(buildModel),
};

describe.skipIf(tensorflowMissing)("the contract suite", () => {
  // TensorFlow's threads are the process's, and its sums depend on them: one number.
  describeReplica(
    "tensorflow",
    MODELS,
    (model, threads) => openReplica(model, EngineConfig.parse({ kind: "tensorflow", threads })),
    [1],
  );
});
