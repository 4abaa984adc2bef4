import type {
  BufferSpec,
  ContrastiveSpec,
  Encoding,
  ForwardResult,
  InputSpec,
  Model,
  ParameterSpec,
  Present,
  Tensors,
} from "@gmc/core";
import { UsageError } from "@gmc/core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { dense, denseParameters, swish, unitRows } from "./layers.ts";
import type { ModalityInfo } from "./modality.ts";
import type { Trunk } from "./scope.ts";
import { openScope, prefixed, tensorNamed } from "./scope.ts";

/** One modality of a GMC model: its trunk, and the joint encoder's own trunk for it. */
export interface GmcModality {
  readonly info: ModalityInfo;
  readonly base: Trunk;
  readonly joint: Trunk;
}

/** What a GMC model is made of. */
export interface GmcParts {
  readonly modalities: readonly GmcModality[];
  /** Width of the common space, in which the projections of all encoders end. */
  readonly commonDim: number;
  /** Hidden widths of the shared head. */
  readonly headWidths: readonly number[];
  readonly latentDim: number;
  readonly contrastive: ContrastiveSpec;
}

/**
 * GMC (Poklukar et al. 2022): base encoders f_m and a joint encoder f_1:M with trunks of its own, each projected to one
 * common space; one head g for all of them; rows of unit length.
 * Parameters in flat order: the modalities' parts, then "joint", then "head".
 */
export function gmcModel({ modalities, commonDim, headWidths, latentDim, contrastive }: GmcParts): Model {
  const names = modalities.map(({ info }) => info.name);
  const jointWidth = modalities.reduce((sum, { joint }) => sum + joint.width, 0);
  const layerWidths = [...headWidths, latentDim];

  const parameters = [
    ...modalities.flatMap(({ info, base }) =>
      inPart(info.name, [
        ...prefixed(info.name, base.parameters),
        ...prefixed(info.name, denseParameters("projection", base.width, commonDim)),
      ]),
    ),
    ...inPart("joint", [
      ...modalities.flatMap(({ info, joint }) => prefixed(`joint.${info.name}`, joint.parameters)),
      ...prefixed("joint", denseParameters("projection", jointWidth, commonDim)),
    ]),
    ...inPart(
      "head",
      layerWidths.flatMap((width, i) =>
        prefixed("head", denseParameters(`dense${i}`, layerWidths[i - 1] ?? commonDim, width)),
      ),
    ),
  ];
  const buffers: BufferSpec[] = [
    ...modalities.flatMap(({ info, base }) => prefixed(info.name, base.buffers)),
    ...modalities.flatMap(({ info, joint }) => prefixed(`joint.${info.name}`, joint.buffers)),
  ];

  type Use = { parameters: Tensors; buffers: Tensors; inputs: Tensors; statistics?: Record<string, Tensor> };
  const scopeOf = (prefix: string, use: Use) => openScope(prefix, use.parameters, use.buffers, use.statistics);

  /** [b, common] of one modality. */
  function baseFeatures({ info, base }: GmcModality, use: Use): Tensor2D {
    const scope = scopeOf(info.name, use);
    return dense(base.apply(tensorNamed(use.inputs, info.name, "modality"), scope), "projection", scope);
  }

  /** [b, common] of all modalities together. */
  function jointFeatures(use: Use): Tensor2D {
    const features = modalities.map(({ info, joint }) =>
      joint.apply(tensorNamed(use.inputs, info.name, "modality"), scopeOf(`joint.${info.name}`, use)),
    );
    return dense(
      features.length === 1 ? (features[0] as Tensor2D) : tf.concat(features, 1),
      "projection",
      scopeOf("joint", use),
    );
  }

  /** The shared head, run once on all features; k × [b, common] → [k, b, d] of unit rows. */
  function project(features: readonly Tensor2D[], use: Use): Tensor3D {
    const scope = scopeOf("head", use);
    let hidden = features.length === 1 ? (features[0] as Tensor2D) : (tf.concat([...features], 0) as Tensor2D); // [k·b, common]
    for (const i of layerWidths.keys()) {
      hidden = dense(hidden, `dense${i}`, scope);
      if (i < headWidths.length) hidden = swish(hidden);
    }
    return tf.reshape(unitRows(hidden), [features.length, -1, latentDim]);
  }

  return {
    parameters,
    buffers,
    modalities: names,
    contrastive,
    inputs: (rows, use) => inputSpecs(rows, use === "train" ? modalities : presentOnes(use)),
    forward(parameterTensors, bufferTensors, inputs): ForwardResult {
      const statistics: Record<string, Tensor> = {};
      const use = { parameters: parameterTensors, buffers: bufferTensors, inputs, statistics };
      const features = [...modalities.map((modality) => baseFeatures(modality, use)), jointFeatures(use)];
      const embeddings = project(features, use); // [M+1, b, d]
      return { embeddings, ...(buffers.length > 0 && { batchStatistics: statistics }) };
    },
    encode(parameterTensors, bufferTensors, inputs, present): Encoding {
      const use = { parameters: parameterTensors, buffers: bufferTensors, inputs };
      const chosen = presentOnes(present);
      const features =
        chosen.length === modalities.length ? [jointFeatures(use)] : chosen.map((m) => baseFeatures(m, use));
      return { code: meanOf(project(features, use)) };
    },
  };

  /** The present modalities in the model's order, whatever order they were named in. */
  function presentOnes(present: Present): GmcModality[] {
    const unknown = present.filter((name) => !names.includes(name));
    if (unknown.length > 0 || present.length === 0) {
      throw new UsageError(
        `Expected one or more of the model's modalities (${names.join(", ")}), received ${present.join(", ") || "none"}.`,
        { known: names, received: present },
      );
    }
    return modalities.filter(({ info }) => present.includes(info.name));
  }
}

/** [k, b, d] → [b, d]: the mean of k codes, not normalised again. */
const meanOf = (codes: Tensor3D): Tensor2D =>
  codes.shape[0] === 1 ? tf.reshape(codes, [codes.shape[1], codes.shape[2]]) : tf.mean(codes, 0);

const inPart = (part: string, specs: readonly Omit<ParameterSpec, "part">[]): ParameterSpec[] =>
  specs.map((spec) => ({ ...spec, part }));

const inputSpecs = (rows: number, modalities: readonly GmcModality[]): InputSpec[] =>
  modalities.map(({ info }) => ({ name: info.name, shape: [rows, ...info.shape], source: { kind: "modality" } }));
