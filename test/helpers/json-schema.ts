/** Validates a value against the part of JSON Schema 2020-12 that spec/schema uses; an unknown keyword is an error, not a pass. */

type Schema = Readonly<Record<string, unknown>>;

const annotations = ["$schema", "title", "default", "description"];

export function matches(schema: unknown, value: unknown): boolean {
  if (typeof schema === "boolean") return schema;
  if (!isObject(schema)) throw new Error("a schema is an object, or a truth, here");
  return Object.keys(schema).every((keyword) => {
    if (annotations.includes(keyword)) return true;
    const check = checks[keyword];
    if (check === undefined) throw new Error(`keyword ${keyword}`);
    return check(schema[keyword], value, schema);
  });
}

const checks: Readonly<Record<string, (rule: unknown, value: unknown, schema: Schema) => boolean>> = {
  type: (rule, value) => (Array.isArray(rule) ? rule : [rule]).some((type) => isOfType(type, value)),
  const: (rule, value) => rule === value,
  enum: (rule, value) => list(rule).includes(value),
  pattern: (rule, value) => typeof value !== "string" || new RegExp(String(rule), "u").test(value),
  format: () => true,
  minLength: (rule, value) => typeof value !== "string" || [...value].length >= Number(rule),
  maxLength: (rule, value) => typeof value !== "string" || [...value].length <= Number(rule),
  minimum: (rule, value) => typeof value !== "number" || value >= Number(rule),
  maximum: (rule, value) => typeof value !== "number" || value <= Number(rule),
  minItems: (rule, value) => !Array.isArray(value) || value.length >= Number(rule),
  maxItems: (rule, value) => !Array.isArray(value) || value.length <= Number(rule),
  items: (rule, value) => !Array.isArray(value) || value.every((item) => matches(rule, item)),
  required: (rule, value) => !isObject(value) || list(rule).every((key) => Object.hasOwn(value, String(key))),
  properties: (rule, value) =>
    !isObject(value) ||
    !isObject(rule) ||
    Object.entries(rule).every(([key, schema]) => !Object.hasOwn(value, key) || matches(schema, value[key])),
  propertyNames: (rule, value) => !isObject(value) || Object.keys(value).every((key) => matches(rule, key)),
  additionalProperties: (rule, value, schema) =>
    !isObject(value) ||
    Object.entries(value).every(
      ([key, item]) => (isObject(schema["properties"]) && key in schema["properties"]) || matches(rule, item),
    ),
  // These two look at their neighbours: minContains and maxContains belong to contains, then belongs to if.
  contains: (rule, value, schema) => !Array.isArray(value) || containsRightly(rule, value, schema),
  minContains: () => true,
  maxContains: () => true,
  if: (rule, value, schema) => !matches(rule, value) || matches(schema["then"] ?? {}, value),
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: () => true,
  allOf: (rule, value) => list(rule).every((schema) => matches(schema, value)),
  anyOf: (rule, value) => list(rule).some((schema) => matches(schema, value)),
  oneOf: (rule, value) => list(rule).filter((schema) => matches(schema, value)).length === 1,
  not: (rule, value) => !matches(rule, value),
};

function containsRightly(rule: unknown, value: readonly unknown[], schema: Schema): boolean {
  const count = value.filter((item) => matches(rule, item)).length;
  return (
    count >= Number(schema["minContains"] ?? 1) && count <= Number(schema["maxContains"] ?? Number.POSITIVE_INFINITY)
  );
}

function isOfType(type: unknown, value: unknown): boolean {
  return typeOf(value) === type || (type === "number" && typeOf(value) === "integer");
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("a list is expected");
  return value;
}
