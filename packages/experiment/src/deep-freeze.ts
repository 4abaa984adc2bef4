import { isObject } from "./schema-fields.ts";

/** The value itself, frozen at every depth. For plain trees without cycles. */
export function deepFreeze<T>(value: T): T {
  if (!isObject(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
