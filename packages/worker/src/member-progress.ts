import type { RunProgress } from "@gmc/experiment";
import type { ClosedEpoch, MemberProgress } from "@gmc/protocol";

/** Closed epochs that a report holds: more than can close between two heartbeats, or they are not told one by one. */
const KEPT_EPOCHS = 32;

/** Puts what a training loop tells together to what a worker reports. */
export function progressTo(report: (progress: MemberProgress) => void): (progress: RunProgress) => void {
  let closed: readonly ClosedEpoch[] = [];
  let last: MemberProgress | undefined;
  return (progress) => {
    if (progress.phase === "train") {
      const { phase: _, samplesPerSecond = 0, ...step } = progress;
      last = { ...step, samplesPerSecond, closed };
    } else if (progress.phase === "epoch") {
      const { phase: _, epochs: __, ...epoch } = progress;
      closed = [...closed, epoch].slice(-KEPT_EPOCHS);
      if (last) last = { ...last, closed };
    }
    if (last) report(last);
  };
}
