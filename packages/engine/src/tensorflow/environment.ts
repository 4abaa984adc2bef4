// libtensorflow reads its settings from the environment alone, once, when it is loaded: they follow from the
// configuration, so they are set here.
import { homedir } from "node:os";
import { join } from "node:path";

/** What TensorFlow is told when it is loaded; it cannot be told again in the same process. */
export interface TensorflowSettings {
  /** That compute, all operations together; a number from 1. */
  readonly threads: number;
  /** Number of the graphics card as the driver counts them; undefined: the CPU. */
  readonly card: number | undefined;
}

/**
 * Sets what TensorFlow reads. Where CUDA_VISIBLE_DEVICES names cards already, card N is the N-th of those; what the user has
 * set for the log, for memory and for TF32 stays.
 */
export function setEnvironment({ threads, card }: TensorflowSettings): void {
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  process.env.TF_NUM_INTEROP_THREADS = "1"; // operations come one after another
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3"; // what fails is thrown; the start alone prints a screen of remarks
  const visible = process.env.CUDA_VISIBLE_DEVICES?.split(",");
  process.env.CUDA_VISIBLE_DEVICES = card === undefined ? "-1" : visible ? (visible[card] ?? "-1") : String(card);
  if (card === undefined) return;
  process.env.TF_DETERMINISTIC_OPS = "1"; // sums in a fixed order: the same bits again
  process.env.NVIDIA_TF32_OVERRIDE ??= "0"; // products in float32, not in 10 bits of it
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true"; // several workers may share a card
}

/** Where `npm run setup:tensorflow` puts bindings (infra/setup-tensorflow.mjs): GMC_TENSORFLOW, else in GMC_CACHE or the user's cache folder. */
export function bindingsFolder(): string {
  const { GMC_TENSORFLOW, GMC_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (GMC_TENSORFLOW) return GMC_TENSORFLOW;
  if (GMC_CACHE) return join(GMC_CACHE, "tensorflow");
  if (process.platform === "win32")
    return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "gmc", "tensorflow");
  const cache = process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
  return join(XDG_CACHE_HOME || cache, "gmc", "tensorflow");
}
