import { buildModel } from "@gmc/models";
import { goldenSmallModel, supervisedContractModel, variationalContractModel } from "@gmc/testkit";
import * as tf from "@tensorflow/tfjs-core";
import type { Binding } from "../../packages/engine/src/tensorflow/binding.ts";
import { openEagerReplica } from "../../packages/engine/src/tensorflow/replica.ts";
import { describeReplica } from "../support/describe-replica.ts";

/** What runs ops on TensorFlow, on tfjs's own JavaScript backend: everything but TensorFlow itself. */
const binding: Binding = {
  package: "@tensorflow/tfjs-node",
  tensorflow: "none",
  settings: { threads: 1, card: undefined },
  run: (work) => {
    void tf.setBackend("cpu");
    return work();
  },
};

describeReplica(
  "the TensorFlow engine's runner on tfjs's cpu backend",
  {
    "supervised (local loss, masks, noise)": supervisedContractModel,
    "variational (no embeddings, batch statistics)": variationalContractModel,
    "small GMC": () => goldenSmallModel(buildModel),
  },
  async (model) => openEagerReplica(model, binding),
  [1],
);
