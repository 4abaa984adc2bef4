import type { RunProgress } from "@gmc/experiment";
import type { Status } from "./status.ts";

/** A listener that shows a run's progress on the status line. */
export function showProgress(status: Status): (progress: RunProgress) => void {
  return (progress) => {
    switch (progress.phase) {
      case "train":
        status.update({
          label: "Training",
          done: progress.step,
          total: progress.steps,
          detail: `epoch ${progress.epoch}/${progress.epochs}  step ${progress.step}/${progress.steps}  loss ${progress.loss.toFixed(3)}${reduceText(progress)}`,
          samplesPerUnit: progress.batchSize,
        });
        break;
      case "epoch":
        status.note(epochLine(progress));
        break;
      case "task":
        status.update({
          label: progress.label,
          done: progress.done,
          total: progress.total,
          detail: progress.detail ?? "",
        });
        break;
      default:
        progress satisfies never;
    }
  };
}

/** What the all-reduce takes, where there is one. */
const reduceText = ({ reduceMs }: RunProgress & { phase: "train" }): string =>
  reduceMs === undefined || reduceMs < 0.05 ? "" : `  all-reduce ${reduceMs.toFixed(1)} ms`;

function epochLine({ epoch, epochs, loss, validationLoss }: RunProgress & { phase: "epoch" }): string {
  const validation = validationLoss === undefined ? "" : `, validation ${validationLoss.toFixed(3)}`;
  return `epoch ${epoch}/${epochs}: mean loss ${loss.toFixed(3)}${validation}`;
}
