import { ConfigError } from "@gmc/core";
import type { Document } from "yaml";
import { isCollection, isMap, isNode, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import type { Locate } from "./config-error.ts";
import { configError, dotted } from "./config-error.ts";
import { deepFreeze } from "./deep-freeze.ts";
import type { NameOverride, Override } from "./overrides.ts";
import { applyOverrides, flagOf } from "./overrides.ts";
import { isObject, peel, schemasAt } from "./schema-fields.ts";

/** What a config is read from. */
export interface ConfigSource {
  /** The YAML text, or the same as a plain object; absent: everything is default or overridden. */
  readonly content?: string | object;
  /** What messages call it: "examples/demo.yaml". */
  readonly name?: string;
  readonly overrides?: readonly Override[];
  /** What messages call an override; default: its flag. */
  readonly nameOverride?: NameOverride;
}

/** A config's plain value before any schema has seen it, and where the user wrote what. */
export interface ReadSource {
  readonly plain: object;
  readonly locate: Locate;
}

/**
 * The config that a schema makes of a source, defaults filled in, frozen at every depth. An empty value in the file
 * (`clipNorm:`) is the default.
 *
 * @throws {ConfigError} naming the path, what was expected, what came, and the line or flag it stands in
 */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  source: ConfigSource,
): Readonly<z.output<Schema>> {
  const { plain, locate } = readSource(source);
  const { overrides = [], nameOverride = flagOf } = source;
  const value = dropEmpty(schema, applyOverrides(schema, plain, overrides, nameOverride));
  const parsed = schema.safeParse(value);
  if (parsed.success) return deepFreeze(parsed.data);
  throw configError(schema, value, parsed.error.issues, (path) => {
    const override = overrideOf(path, overrides);
    return override === undefined ? locate(path) : nameOverride(override);
  });
}

/** Text or object as a plain value. @throws {ConfigError} naming line and column where it is no YAML */
export function readSource({ content = {}, name = "config" }: Pick<ConfigSource, "content" | "name">): ReadSource {
  if (typeof content !== "string") return { plain: content, locate: () => undefined };
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new ConfigError(`${name}, line ${line}, column ${col}: ${problem.message}`, { name, line, column: col });
  }
  const plain: unknown = document.toJS() ?? {};
  if (!isObject(plain) || Array.isArray(plain)) {
    throw new ConfigError(
      `${name}: expected sections such as "data:" and "training:", received ${JSON.stringify(plain)}`,
    );
  }
  const locate: Locate = (path) => {
    for (let depth = path.length; depth > 0; depth--) {
      const start = startOf(document, path.slice(0, depth));
      if (start !== undefined) return `line ${lines.linePos(start).line} of ${name}`;
    }
    return undefined;
  };
  return { plain, locate };
}

/** Where a value stands in the text; a list or a section that has a name: where the name stands. */
function startOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  const node = document.getIn(path, true);
  const parent = document.getIn(path.slice(0, -1), true);
  const key = isMap(parent) && isCollection(node) ? parent.items.find(({ value }) => value === node)?.key : undefined;
  return (isNode(key) ? key : isNode(node) ? node : undefined)?.range?.[0];
}

/** The path of the last override that set what is at `path`, or what it lies in. */
function overrideOf(path: readonly PropertyKey[], overrides: readonly Override[]): string | undefined {
  const wanted = dotted(path);
  const last = overrides.findLast(
    ([name]) => wanted === name || wanted.startsWith(`${name}.`) || wanted.startsWith(`${name}[`),
  );
  return last?.[0];
}

/** Without the nulls that a schema of ours does not want; what lies below "any value" stays as it is. */
function dropEmpty(schema: z.core.$ZodType, root: unknown, value = root, path: readonly PropertyKey[] = []): unknown {
  if (!isObject(value) || Array.isArray(value)) return value;
  const kept = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const here = [...path, key];
    const schemas = schemasAt(schema, here, root);
    if (child === null && schemas.length > 0 && !schemas.some(acceptsNull)) return [];
    return [[key, dropEmpty(schema, root, child, here)]];
  });
  return Object.fromEntries(kept);
}

function acceptsNull(schema: z.core.$ZodType): boolean {
  const { inner, nullable } = peel(schema);
  return nullable || ["unknown", "any", "null"].includes(inner._zod.def.type);
}
