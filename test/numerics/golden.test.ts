import { describeGolden } from "../support/describe-golden.ts";

describeGolden("onnxruntime");
