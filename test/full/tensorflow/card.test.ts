import { EngineConfig, findBinding, findTensorflow, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import { goldenSmallModel, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import { describe } from "vitest";
import { describeGolden } from "../../support/describe-golden.ts";
import { describeReplica } from "../../support/describe-replica.ts";

/** Why there is no card to compute on; undefined where there is one. */
async function cardMissing(): Promise<string | undefined> {
  if (findBinding("@tensorflow/tfjs-node-gpu").folder === undefined) {
    return "npm run setup:tensorflow -- --gpu was not run";
  }
  const finding = (await findTensorflow()).find((one) => one.package === "@tensorflow/tfjs-node-gpu");
  return finding?.onCard ? undefined : "TensorFlow finds no card";
}

const missing = await cardMissing();

describe.skipIf(missing)(`TensorFlow on NVIDIA's card${missing ? ` (skipped: ${missing})` : ""}`, () => {
  describeReplica(
    "tensorflow on gpu:0",
    {
      "supervised (local loss, masks, noise)": supervisedContractModel,
      "variational (no embeddings, batch statistics)": variationalContractModel,
      "small GMC": () => goldenSmallModel(buildModel),
    },
    (model, threads) => openReplica(model, EngineConfig.parse({ kind: "tensorflow", device: "gpu:0", threads })),
    [1],
  );
  describeGolden("tensorflow on gpu:0", { kind: "tensorflow", device: "gpu:0" });
});
