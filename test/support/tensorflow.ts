import { findBinding } from "@gmc/engine";

const place = findBinding("@tensorflow/tfjs-node");
const missing = place.folder === undefined;
if (missing) {
  console.error(`Tests on TensorFlow are skipped: ${place.lookedFor.join("; ")}. Run "npm run setup:tensorflow".`);
}

/** True where there is no binding; the file that asks says so. */
export const tensorflowMissing: boolean = missing;
