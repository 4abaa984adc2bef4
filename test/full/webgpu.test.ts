import { EngineConfig, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import { goldenSmallModel, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import { describeReplica } from "../support/describe-replica.ts";

describeReplica(
  "webgpu",
  {
    "supervised (local loss, masks, noise)": supervisedContractModel,
    "variational (no embeddings, batch statistics)": variationalContractModel,
    "small GMC": () => goldenSmallModel(buildModel),
  },
  (model, threads) => openReplica(model, EngineConfig.parse({ threads, device: "webgpu" })),
);
