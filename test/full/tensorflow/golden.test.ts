import { describe } from "vitest";
import { describeGolden } from "../../support/describe-golden.ts";
import { tensorflowMissing } from "../../support/tensorflow.ts";

describe.skipIf(tensorflowMissing)("golden values", () => describeGolden("tensorflow", { kind: "tensorflow" }));
