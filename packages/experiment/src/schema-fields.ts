import type { z } from "zod";

/** One value a user can set: what `--help` lists and what an error message calls it. */
export interface ConfigField {
  /** Dotted, `<name>` where the user names the key: "model.modalities.<name>.encoder.kind". */
  readonly path: string;
  /** For people: "integer", "adam | adamw", "list of string". */
  readonly type: string;
  /** Absent where there is none. */
  readonly default?: unknown;
  readonly description: string;
}

/** Every value a config of this schema can hold, in the schema's order; a path that several variants share comes once. */
export function configFields(schema: z.core.$ZodType, prefix = ""): ConfigField[] {
  const fields = new Map<string, ConfigField>();
  for (const field of walk(schema, prefix)) {
    const known = fields.get(field.path);
    if (!known) fields.set(field.path, field);
    else if (!known.type.split(" | ").includes(field.type)) {
      fields.set(field.path, { ...known, type: `${known.type} | ${field.type}` });
    }
  }
  return [...fields.values()];
}

/**
 * The schemas a value at `path` may follow: several below a union, one elsewhere, none where the path leads nowhere.
 * A union is narrowed to the variant that `value`'s own fields select.
 *
 * @param value  the root value that is being checked
 */
export function schemasAt(schema: z.core.$ZodType, path: readonly PropertyKey[], value: unknown): z.core.$ZodType[] {
  const options = narrow(peel(schema).inner, value);
  const [key, ...rest] = path;
  if (key === undefined) return options;
  return options.flatMap((option) => {
    const next = child(option, key);
    return next ? schemasAt(next, rest, at(value, [key])) : [];
  });
}

/** Keys that an object of this schema may have; undefined where any is allowed or it is no object. */
export function knownKeys(schema: z.core.$ZodType): string[] | undefined {
  const { def } = (peel(schema).inner as z.core.$ZodTypes)._zod;
  return def.type === "object" ? Object.keys(def.shape) : undefined;
}

/** The schema without default, optional and the like, and what those wrappers say. */
export function peel(schema: z.core.$ZodType): Peeled {
  let current = schema as z.core.$ZodTypes;
  let peeled: Omit<Peeled, "inner"> = { nullable: false };
  for (;;) {
    const { def } = current._zod;
    const description = "description" in current ? current.description : undefined;
    if (typeof description === "string" && peeled.description === undefined) peeled = { ...peeled, description };
    switch (def.type) {
      case "default":
      case "prefault":
        peeled = { ...peeled, default: peeled.default ?? def.defaultValue };
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "nullable":
        peeled = { ...peeled, nullable: true };
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "optional":
      case "nonoptional":
      case "readonly":
      case "catch":
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "pipe":
        current = def.in as z.core.$ZodTypes;
        break;
      default:
        return { ...peeled, inner: current };
    }
  }
}

/** A schema without its wrappers. */
export interface Peeled {
  readonly inner: z.core.$ZodType;
  readonly description?: string;
  readonly default?: unknown;
  readonly nullable: boolean;
}

/** The value at a path of a plain value; undefined where there is none. */
export const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((node, key) => (isObject(node) ? Reflect.get(node, key) : undefined), value);

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What a value of this schema looks like, for people. */
export function typeName(schema: z.core.$ZodType): string {
  const { inner } = peel(schema);
  const { def } = (inner as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "number":
      return numberName(inner);
    case "enum":
      return Object.values(def.entries).join(" | ");
    case "literal":
      return def.values.map(String).join(" | ");
    case "array":
      return `list of ${typeName(def.element)}`;
    case "tuple":
      return `[${def.items.map((item) => typeName(item)).join(", ")}]`;
    case "union":
      return [...new Set(def.options.map((option) => typeName(option)))].join(" | ");
    case "record":
      return "mapping";
    case "object":
      return "section";
    case "string":
      return "text";
    case "boolean":
      return "true | false";
    case "template_literal":
      return def.parts.map((part) => (isObject(part) ? "N" : String(part))).join("");
    default:
      return def.type;
  }
}

function numberName(schema: z.core.$ZodType): string {
  const name = "isInt" in schema && schema.isInt === true ? "integer" : "number";
  const checks = (schema._zod.def.checks ?? []).map((check) => (check as z.core.$ZodChecks)._zod.def);
  const limits = checks.flatMap((check) => {
    if (check.check === "greater_than") return [`${check.inclusive ? "≥" : ">"} ${check.value}`];
    return check.check === "less_than" ? [`${check.inclusive ? "≤" : "<"} ${check.value}`] : [];
  });
  return limits.length === 0 ? name : `${name} ${limits.join(", ")}`;
}

function* walk(schema: z.core.$ZodType, path: string): Generator<ConfigField> {
  const peeled = peel(schema);
  const { def } = (peeled.inner as z.core.$ZodTypes)._zod;
  const join = (key: string) => (path === "" ? key : `${path}.${key}`);
  if (def.type === "object") {
    for (const [key, value] of Object.entries(def.shape)) yield* walk(value, join(key));
  } else if (def.type === "record" && peel(def.valueType).inner._zod.def.type !== "unknown") {
    yield* walk(def.valueType, join("<name>"));
  } else if (def.type === "union" && def.options.some((option) => knownKeys(option) !== undefined)) {
    const { discriminator } = def as z.core.$ZodDiscriminatedUnionDef;
    if (discriminator !== undefined) yield variantField(peeled, join(discriminator), discriminator);
    for (const option of def.options) {
      for (const field of walk(option, path)) if (field.path !== join(discriminator ?? "")) yield field;
    }
  } else {
    const { description = "", default: standard } = peeled;
    yield { path, type: typeName(schema), description, ...(standard === undefined ? {} : { default: standard }) };
  }
}

/** The field that chooses between a union's variants. */
function variantField({ inner, description, default: standard }: Peeled, path: string, key: string): ConfigField {
  const { options } = inner._zod.def as z.core.$ZodDiscriminatedUnionDef;
  const types = options.flatMap((option) => child(peel(option).inner, key) ?? []).map((literal) => typeName(literal));
  const chosen = at(standard, [key]);
  return {
    path,
    type: types.join(" | "),
    description: description ?? "Which of these; each has values of its own.",
    ...(chosen === undefined ? {} : { default: chosen }),
  };
}

function child(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === "object") return Object.hasOwn(def.shape, key) ? def.shape[String(key)] : undefined;
  if (def.type === "record") return def.valueType;
  if (def.type === "array") return def.element;
  if (def.type === "tuple") return def.items[Number(key)];
  return undefined;
}

/** The variants of a union that fit `value`'s discriminator, all of them where none does; a list of one elsewhere. */
function narrow(schema: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type !== "union") return [schema];
  const options = def.options.flatMap((option) => narrow(peel(option).inner, value));
  const discriminator = (def as z.core.$ZodDiscriminatedUnionDef).discriminator;
  const chosen = discriminator === undefined ? undefined : at(value, [discriminator]);
  const fitting = options.filter((option) => {
    const literal = discriminator === undefined ? undefined : child(option, discriminator);
    const values = literal && (peel(literal).inner as z.core.$ZodTypes)._zod.values;
    return values?.has(chosen as string);
  });
  return fitting.length > 0 ? fitting : options;
}
