import { ConfigError } from "@gmc/core";
import { parse, YAMLParseError } from "yaml";
import type { z } from "zod";
import { at, isObject, knownKeys, peel, schemasAt } from "./schema-fields.ts";

/** A dotted path and its value, text as a flag gives it ("128", "[image, sound]") or a plain value. */
export type Override = readonly [path: string, value: unknown];

/** What messages call the override of a path: its flag, or the line of a file. */
export type NameOverride = (path: string) => string;

export const flagOf: NameOverride = (path) => `--${path}`;

/**
 * A copy of `plain` with the overrides set. Text is read by YAML's rules unless the schema wants text there. Overriding
 * the `kind` of a variant drops what only the other variant knows, so `--training.schedule.kind constant` works on any file.
 *
 * @param nameOf  what messages call an override
 * @throws {ConfigError} when a path is malformed or goes through a value that is no section
 */
export function applyOverrides(
  schema: z.core.$ZodType,
  plain: unknown,
  overrides: readonly Override[],
  nameOf: NameOverride = flagOf,
): unknown {
  const root = structuredClone(isObject(plain) ? plain : {});
  const kindsFirst = [...overrides].sort(([a], [b]) => Number(isKind(b)) - Number(isKind(a)));
  for (const [path, value] of kindsFirst) {
    const keys = path.split(".");
    if (keys.some((key) => key === ""))
      throw new ConfigError(`${nameOf(path)}: expected names separated by dots`, { path });
    setAt(root, keys, coerce(schema, root, keys, value, nameOf), nameOf);
    if (isKind(path)) dropForeign(schema, root, keys.slice(0, -1));
  }
  return root;
}

const isKind = (path: string): boolean => path.split(".").at(-1) === "kind";

function coerce(
  schema: z.core.$ZodType,
  root: unknown,
  keys: readonly string[],
  value: unknown,
  nameOf: NameOverride,
): unknown {
  if (typeof value !== "string") return value;
  const options = schemasAt(schema, keys, root);
  if (options.length > 0 && options.every((option) => peel(option).inner._zod.def.type === "string")) return value;
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const path = keys.join(".");
    throw new ConfigError(`${nameOf(path)}: expected a YAML value, received ${JSON.stringify(value)}`, { path, value });
  }
}

function setAt(root: object, keys: readonly string[], value: unknown, nameOf: NameOverride): void {
  let node: object = root;
  for (const [depth, key] of keys.slice(0, -1).entries()) {
    const next: unknown = Object.hasOwn(node, key) ? Reflect.get(node, key) : undefined;
    if (isObject(next)) node = next;
    else if (next === undefined || next === null) node = define(node, key, {});
    else {
      const path = keys.slice(0, depth + 1).join(".");
      const message = `${nameOf(keys.join("."))}: ${path} is ${JSON.stringify(next)} and has nothing below it`;
      throw new ConfigError(message, { path: keys.join(".") });
    }
  }
  define(node, keys.at(-1) ?? "", value);
}

/** Sets an own property whatever its name, so that `__proto__` is a key like another. */
function define<T>(node: object, key: string, value: T): T {
  Object.defineProperty(node, key, { value, writable: true, enumerable: true, configurable: true });
  return value;
}

/** Deletes the fields of a union's value that the chosen variant does not have and another one has. */
function dropForeign(schema: z.core.$ZodType, root: unknown, path: readonly string[]): void {
  const value = at(root, path);
  const [chosen, ...others] = schemasAt(schema, path, root);
  const known = chosen && others.length === 0 ? knownKeys(chosen) : undefined;
  if (!known || !isObject(value)) return;
  const { kind: _, ...withoutKind } = value as { kind?: unknown };
  const anyVariant = schemasAt(schema, path, replaceAt(root, path, withoutKind)).flatMap((s) => knownKeys(s) ?? []);
  for (const key of Object.keys(value)) {
    if (!known.includes(key) && anyVariant.includes(key)) Reflect.deleteProperty(value, key);
  }
}

function replaceAt(root: unknown, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(root);
  if (isObject(copy)) setAt(copy, path, value, flagOf);
  return copy;
}
