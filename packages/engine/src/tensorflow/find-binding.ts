import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { bindingsFolder } from "./environment.ts";

/** Packages with TensorFlow's binding for Node, the optional peer dependencies. */
export type BindingPackage = "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu";

export const BINDING_PACKAGES: readonly BindingPackage[] = ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"];

/** The version whose API this engine knows: tfjs-core's own, of which there is one in a process. */
export const BINDING_VERSION = "4.22.0";

/** A binding that lies somewhere, or why there is none. */
export type BindingPlace =
  | { readonly package: BindingPackage; readonly folder: string }
  | { readonly package: BindingPackage; readonly folder?: undefined; readonly lookedFor: readonly string[] };

/**
 * Where a binding is: among the installed packages, else where `npm run setup:tensorflow` put it. Nothing is loaded.
 *
 * @param cache  the folder that holds set-ups
 */
export function findBinding(name: BindingPackage, cache: string = bindingsFolder()): BindingPlace {
  const lookedFor: string[] = [];
  for (const folder of [installedFolder(name), setUpFolder(name, cache)]) {
    if (folder === undefined) {
      lookedFor.push(`the package ${name} in node_modules: not installed`);
    } else if (!existsSync(join(folder, "package.json"))) {
      lookedFor.push(`${folder}: missing`);
    } else if (nativeLibrary(folder) === undefined) {
      lookedFor.push(`${folder}: installed, but its native library (lib/napi-v*/tfjs_binding.node) was never built`);
    } else {
      return { package: name, folder };
    }
  }
  return { package: name, lookedFor };
}

function installedFolder(name: BindingPackage): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

const setUpFolder = (name: BindingPackage, cache: string): string =>
  join(cache, `${basename(name)}-${BINDING_VERSION}-${process.platform}-${process.arch}`, "node_modules", name);

/** The compiled part of a binding's package, for the newest interface it was compiled for; undefined where it was not. */
export function nativeLibrary(folder: string): string | undefined {
  const library = join(folder, "lib");
  if (!existsSync(library)) return undefined;
  const compiled = readdirSync(library).map((entry) => join(library, entry, "tfjs_binding.node"));
  return compiled
    .filter((file) => existsSync(file))
    .sort()
    .at(-1);
}
