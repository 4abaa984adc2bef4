// Writes src/trace/tfjs-gradients.gen.ts from the gradients in @tensorflow/tfjs-core.
//
// tfjs-core's main module registers no gradients; the files that do (dist/gradients/*.js) are ES modules in a package that
// Node loads as CommonJS, and @tensorflow/tfjs, which bundles them, brings 150 MB of other backends. So they are bundled
// here, with everything that tfjs-core exports taken from tfjs-core itself.
//
//     node packages/engine/scripts/generate-gradients.mjs        (esbuild comes with tsx)
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const packageFile = require.resolve("@tensorflow/tfjs-core/package.json");
const core = join(dirname(packageFile), "dist");

/** Kernels whose gradients are written: those that the tracer knows and that have one. */
const kernels =
  "Abs Acos Acosh Add AddN ArgMax ArgMin Asin Asinh Atan Atanh AvgPool BatchMatMul Cast Ceil ClipByValue Concat Conv2DBackpropInput Conv2D Cos Cosh Cumsum Elu Erf Exp ExpandDims Expm1 FloorDiv Floor FusedBatchNorm GatherV2 GreaterEqual Identity IsFinite IsInf IsNan LeakyRelu Log1p Log Max Maximum MaxPool Mean Min Minimum Multiply Neg OneHot OnesLike Pack PadV2 Pow Prelu RealDiv Reciprocal Relu6 Relu Reshape Reverse Round Rsqrt Select Selu Sigmoid Sign Sin Sinh Slice Softmax Softplus SplitV Sqrt Square SquaredDifference Step Sub Sum Tan Tanh Tile Transpose Unpack UnsortedSegmentSum ZerosLike";

const names = kernels.split(" ").map((kernel) => ({
  file: `${kernel}_grad.js`,
  name: `${kernel[0].toLowerCase()}${kernel.slice(1)}GradConfig`,
}));
const exportOf = (file) => /export const (\w+GradConfig)/.exec(readFileSync(join(core, "gradients", file), "utf8"))[1];
const entry = `${names.map(({ file }, i) => `import { ${exportOf(file)} as g${i} } from "./gradients/${file}";`).join("\n")}
export const gradients = [${names.map((_, i) => `g${i}`).join(", ")}];`;

/** Modules of tfjs-core that its public exports replace: their names are read off the import statements' targets. */
const publicNames = {
  name: "public-names",
  setup(builder) {
    builder.onLoad({ filter: /tfjs-core\/dist\/.*\.js$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8").replace(/\/\/# sourceMappingURL.*/g, "");
      const exported = [...source.matchAll(/^export (?:const|function|class) (\w+)/gm)].map((match) => match[1]);
      if (path === join(core, "engine.js")) {
        return { contents: `import { engine } from "@tensorflow/tfjs-core"; export const ENGINE = engine();` };
      }
      if (path === join(core, "util.js")) {
        const list = Object.keys(tf.util).join(", ");
        return { contents: `import { util } from "@tensorflow/tfjs-core"; export const { ${list} } = util;` };
      }
      if (path === join(core, "util_base.js")) return { contents: `export * from "./util.js";`, resolveDir: core };
      if (path === join(core, "base.js")) {
        return { contents: `export { backend_util } from "@tensorflow/tfjs-core";` };
      }
      if (path === join(core, "environment.js")) return { contents: `export { env } from "@tensorflow/tfjs-core";` };
      if (path === join(core, "tensor.js")) {
        const contents = `import { Tensor } from "@tensorflow/tfjs-core"; export { Tensor }; export const getGlobalTensorClass = () => Tensor;`;
        return { contents };
      }
      const isOperation = path.startsWith(join(core, "ops")) || path === join(core, "kernel_names.js");
      if (isOperation && exported.length > 0 && exported.every((name) => name in tf)) {
        return { contents: `export { ${exported.join(", ")} } from "@tensorflow/tfjs-core";` };
      }
      return { contents: source, resolveDir: dirname(path) };
    });
    builder.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      return { path: file.endsWith(".js") ? file : `${file}.js` };
    });
  },
};

const { outputFiles } = await build({
  stdin: { contents: entry, resolveDir: core, sourcefile: "entry.js" },
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  external: ["@tensorflow/tfjs-core"],
  plugins: [publicNames],
  legalComments: "none",
  logLevel: "warning",
});
const version = JSON.parse(readFileSync(packageFile, "utf8")).version;
const imports = /^import \{ (.*) \} from "@tensorflow\/tfjs-core";\n/gm;
const text = outputFiles[0].text;
const code = text
  .replace(imports, "")
  .replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, "")
  .replace(/^\/\/ .*\n/gm, "")
  .replace(/\n{2,}/g, "\n");
const imported = [...text.matchAll(imports)].flatMap((match) => match[1].split(", "));
const used = imported.filter((name) => new RegExp(`\\b${name.split(" as ").at(-1)}\\b`).test(code)).sort();
const body = `import {\n  ${used.join(",\n  ")},\n} from "@tensorflow/tfjs-core";\n${code}`;
writeFileSync(
  new URL("../src/trace/tfjs-gradients.gen.ts", import.meta.url),
  `// @ts-nocheck
// Generated by scripts/generate-gradients.mjs from @tensorflow/tfjs-core ${version}; do not edit.
// Copyright Google LLC. Licensed under the Apache License, Version 2.0 (http://www.apache.org/licenses/LICENSE-2.0).
${body}`,
);
