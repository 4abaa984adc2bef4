import { createHash } from "node:crypto";

/** JSON with the keys of every object in code-unit order, no spaces and no undefined fields: equal values, equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, node: unknown) =>
    typeof node === "object" && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}

/** sha256 (hex) of a value's canonical JSON. */
export const sha256OfJson = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex");
