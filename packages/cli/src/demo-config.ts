import type { RunConfigInput } from "@gmc/experiment";

/** The config of `examples/demo.yaml`, at hand where the examples are not installed; a test keeps them equal. */
export const DEMO_CONFIG: RunConfigInput = {
  name: "demo",
  data: { path: "data/synth" },
  model: {
    modalities: {
      image: { encoder: { kind: "conv2d", channels: [16, 32] } },
      sound: { encoder: { kind: "spectrogram", channels: [32, 32, 64] } },
      trajectory: { encoder: { kind: "mlp", widths: [128] } },
      label: { encoder: { kind: "linear" } },
    },
    head: { widths: [128] },
  },
  training: { batchSize: 64, epochs: 8 },
  evaluation: { classifier: { epochs: 20 } },
};
