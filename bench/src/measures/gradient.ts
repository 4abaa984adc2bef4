import { tensorLayout, tensorViews } from "@gmc/core";
import { contrastiveLoss, EngineConfig, openReplica } from "@gmc/engine";
import { buildModel } from "@gmc/models";
import {
  fixturePath,
  fromTorch,
  goldenInputs,
  goldenMhd,
  goldenMhdModel,
  goldenSmall,
  goldenSmallModel,
  packTensors,
  readTensorFile,
  relativeError,
  sharedPath,
} from "@gmc/testkit";

export interface GradientArguments {
  readonly engine: Readonly<Record<string, unknown>>;
}

export interface GradientMeasure {
  /** Largest relative error ‖Δ‖₂/‖reference‖₂ of a parameter's gradient. */
  readonly error: number;
  /** The parameter that has it. */
  readonly parameter: string;
  /** Which model: "2.88 M parameters", or the small one where the large reference file is absent. */
  readonly model: string;
}

/** One step from the weights and the batch of a reference file, against its float64 gradients. */
export async function measureGradient({ engine }: GradientArguments): Promise<GradientMeasure> {
  const { golden, model, file, prefix, title } = await reference();
  const replica = await openReplica(model, EngineConfig.parse({ threads: 1, ...engine }));
  const weights = fromTorch(golden, file, "param.");
  const parameters = packTensors(model.parameters, weights);
  const zeros = () => new Float32Array(parameters.length);
  await replica.write({
    step: 0,
    parameters,
    firstMoment: zeros(),
    secondMoment: zeros(),
    buffers: packTensors(model.buffers, weights),
    beta1Power: 1,
    beta2Power: 1,
    progress: { epochLossSum: 0, epochLosses: [], best: null },
  });
  const inputs = goldenInputs(golden, file);
  const rows = (inputs.label?.length ?? 0) / (golden.modalities.at(-1)?.shape[0] ?? 1);
  const compiled = await replica.compile(rows);
  const { embeddings = zeros() } = await compiled.forward(0, inputs);
  const modalities = model.modalities.length;
  const shape = { modalities, batch: rows, dim: embeddings.length / ((modalities + 1) * rows) };
  const loss = contrastiveLoss(model.contrastive ?? { loss: "nt_xent", temperature: 0.1 }, shape);
  const all = { start: 0, end: rows };
  const { dz } = loss.gradient(embeddings, loss.logNormalisers(embeddings, all), all);
  const gradient = zeros();
  await compiled.backward(0, { dz, localWeight: 1 }, gradient);
  await replica.close();

  const ours = tensorViews(tensorLayout(model.parameters), gradient);
  const errors = Object.entries(fromTorch(golden, file, prefix)).map(([parameter, values]) => ({
    parameter,
    error: relativeError(ours[parameter] ?? [], values),
  }));
  const worst = errors.reduce((a, b) => (b.error > a.error ? b : a));
  return { ...worst, model: title };
}

/** The paper's model where its file is, else the small one that is part of this repository. */
async function reference() {
  const large = sharedPath("golden/train-step.safetensors");
  if (large) {
    const model = await goldenMhdModel(buildModel);
    return { golden: goldenMhd, model, file: readTensorFile(large), prefix: "grad.", title: "2.88 M parameters" };
  }
  const model = await goldenSmallModel(buildModel);
  const file = readTensorFile(fixturePath("small-model.safetensors"));
  return { golden: goldenSmall, model, file, prefix: "shards1.grad.", title: "the small model" };
}
