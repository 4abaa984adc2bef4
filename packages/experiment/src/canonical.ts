import { createHash } from "node:crypto";
import { isObject } from "./schema-fields.ts";

/** JSON with the keys of every object in code-unit order and no spaces: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, node: unknown) =>
    isObject(node) && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}

/** sha256 (hex) of a value's canonical JSON. */
export const sha256OfJson = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex");

/** The value itself, frozen at every depth. For plain trees without cycles. */
export function deepFreeze<T>(value: T): T {
  if (!isObject(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
