import { ConfigError } from "@gmc/core";
import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { at, configFields, isObject, knownKeys, schemasAt, typeName } from "./schema-fields.ts";

/** Where a value came from: "line 7 of demo.yaml", "--training.batchSize"; undefined where nobody wrote it. */
export type Locate = (path: readonly PropertyKey[]) => string | undefined;

/** What one zod issue looks like; the union of zod's own issue types. */
type Issue = z.core.$ZodIssue;

/**
 * The error for a config that its schema refused: one line for each mistake, the first one's path in `details.path`.
 *
 * @param value   the root value that was checked
 * @param locate  says where the user wrote a value
 */
export function configError(
  schema: z.core.$ZodType,
  value: unknown,
  issues: readonly Issue[],
  locate: Locate,
): ConfigError {
  const lines = issues.flatMap((issue) => describeIssue(schema, value, issue, locate));
  const path = issues[0] ? dotted(firstPath(issues[0])) : "";
  return new ConfigError(lines.join("\n"), { path, problems: lines });
}

/** "a.b[2].c" of ["a", "b", 2, "c"]. */
export const dotted = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");

/** The known path nearest to a mistyped one, or undefined when none is near. */
export function nearestPath(
  schema: z.core.$ZodType,
  value: unknown,
  parent: readonly PropertyKey[],
  key: string,
): string | undefined {
  const siblings = schemasAt(schema, parent, value).flatMap((option) => knownKeys(option) ?? []);
  const sibling = siblings.length > 0 ? closest(key, siblings) : undefined;
  if (sibling !== undefined && near(key, sibling)) return dotted([...parent, sibling]);
  const elsewhere = configFields(schema).filter((field) => near(key, lastName(field.path)));
  const best = elsewhere.sort((a, b) => distance(key, lastName(a.path)) - distance(key, lastName(b.path)))[0];
  return best?.path;
}

const lastName = (path: string): string => path.split(".").at(-1) ?? "";
const near = (a: string, b: string): boolean => distance(a.toLowerCase(), b.toLowerCase()) <= Math.max(2, a.length / 3);
const firstPath = (issue: Issue): PropertyKey[] =>
  issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;

function describeIssue(schema: z.core.$ZodType, root: unknown, issue: Issue, locate: Locate): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(schema, root, issue.path, key, locate));
  }
  const value = at(root, issue.path);
  const where = place(issue.path, locate);
  if (value === undefined && issue.code !== "custom") {
    return [`${dotted(issue.path)} is missing: expected ${expectation(schema, root, issue)}${where}`];
  }
  const received = `received ${shown(value)}${where}`;
  return [`${dotted(issue.path) || "config"}: expected ${expectation(schema, root, issue)}, ${received}`];
}

function unknownKey(
  schema: z.core.$ZodType,
  root: unknown,
  parent: readonly PropertyKey[],
  key: string,
  locate: Locate,
): string {
  const nearest = nearestPath(schema, root, parent, key);
  const known = schemasAt(schema, parent, root).flatMap((option) => knownKeys(option) ?? []);
  const advice = nearest ? `did you mean ${nearest}?` : `known here: ${known.join(", ")}`;
  const path = [...parent, key];
  return `${dotted(path)} is not a known key${place(path, locate)}; ${advice}`;
}

function expectation(schema: z.core.$ZodType, root: unknown, issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return wanted(schema, root, issue.path) ?? issue.expected;
    case "too_small":
      if (issue.origin === "number" || issue.origin === "int") return wanted(schema, root, issue.path) ?? issue.message;
      return bound(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum);
    case "too_big":
      if (issue.origin === "number" || issue.origin === "int") return wanted(schema, root, issue.path) ?? issue.message;
      return bound(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum);
    case "invalid_value":
      return oneOf(issue.values);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_union":
      if (issue.errors.length === 0) return wanted(schema, root, issue.path) ?? "another value";
      return [...new Set(issue.errors.map((branch) => branchExpectation(schema, root, issue.path, branch)))].join(
        " or ",
      );
    case "custom":
      return issue.message;
    default:
      return issue.message;
  }
}

function branchExpectation(
  schema: z.core.$ZodType,
  root: unknown,
  parent: readonly PropertyKey[],
  branch: readonly Issue[],
): string {
  const first = branch[0];
  if (!first) return "another value";
  if (first.code === "unrecognized_keys") return `no key ${first.keys.join(", ")}`;
  const text = first.code === "invalid_type" ? first.expected : expectation(schema, root, first);
  return first.path.length === 0 ? text : `${text} at ${dotted([...parent, ...first.path])}`;
}

const wanted = (schema: z.core.$ZodType, root: unknown, path: readonly PropertyKey[]): string | undefined => {
  const names = new Set(schemasAt(schema, path, root).map((option) => typeName(option)));
  return names.size > 0 ? [...names].join(" | ") : undefined;
};

const oneOf = (values: readonly unknown[]): string => {
  const names = values.map(String).join(" | ");
  return values.length === 1 ? names : `one of ${names}`;
};

function bound(origin: string, comparison: string, limit: number | bigint): string {
  if (origin === "array" || origin === "string")
    return `${comparison} ${limit} ${origin === "array" ? "entries" : "characters"}`;
  return `a number ${comparison} ${limit}`;
}

function shown(value: unknown): string {
  if (isObject(value)) return Array.isArray(value) ? `a list (${clipped(value)})` : `a section (${clipped(value)})`;
  return clipped(value);
}

function clipped(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function place(path: readonly PropertyKey[], locate: Locate): string {
  const where = locate(path);
  return where === undefined ? "" : ` (${where})`;
}
