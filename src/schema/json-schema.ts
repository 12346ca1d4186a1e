/**
 * The manifests as JSON Schema, for editors and other languages. Rules across the items of a list are said as far as JSON Schema can;
 * that names do not repeat, and sums, are beyond it: the zod schemas remain the judge.
 */
import * as z from "zod";
import { Annotation, annotationForms } from "./annotations.ts";
import { EventHandler, EventHandlers } from "./app.ts";
import { ImageManifest } from "./image-manifest.ts";
import { exclusiveIsolators, Resource, singleIsolators, valueSchemas } from "./isolator-values.ts";
import { Isolator, Isolators } from "./isolators.ts";
import { architectures, Label, Labels } from "./labels.ts";
import { PodManifest } from "./pod-manifest.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

/** File name in spec/schema → content. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  return new Map([
    ["image-manifest.schema.json", schemaText(ImageManifest, "appc image manifest")],
    ["pod-manifest.schema.json", schemaText(PodManifest, "appc pod manifest")],
  ]);
}

/** The text of a file of spec/schema for `schema`. */
export function schemaText(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = generate(schema, additions());
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

function generate(schema: z.ZodType, added: ReadonlyMap<unknown, JsonSchema>): JsonSchema {
  // What documents may contain, not what is made of them; transforms have no form in JSON Schema.
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, added.get(zodSchema)),
  });
}

/** Schema → what its checks in code mean, in the words of JSON Schema. */
function additions(): ReadonlyMap<unknown, JsonSchema> {
  return new Map<unknown, JsonSchema>([
    [Label, { not: named("name") }],
    [Labels, { allOf: [archNeedsOs(), osRule(), ...archRules()] }],
    [
      Annotation,
      { allOf: [...annotationForms].map(([name, [pattern]]) => valueRule(name, { pattern: pattern.source })) },
    ],
    [EventHandlers, { allOf: EventHandler.shape.name.options.map((name) => atMostOne(name)) }],
    [Isolator, { required: ["name", "value"], allOf: isolatorRules() }],
    [Isolators, { allOf: [...[...singleIsolators.keys()].map(atMostOne), ...exclusiveIsolators.map(notBoth)] }],
  ]);
}

/** ACE-41. */
const either = { anyOf: [{ required: ["request"] }, { required: ["limit"] }] };

function isolatorRules(): readonly JsonSchema[] {
  return Object.entries(valueSchemas).map(([name, schema]) => {
    const { $schema: _, ...value } = generate(schema, new Map([[Resource, either]]));
    return valueRule(name, value);
  });
}

/** ACI-28. */
function archNeedsOs(): JsonSchema {
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  return { if: contains(named("arch")), then: contains(named("os")) };
}

/** ACI-28: the words for `os`. */
function osRule(): JsonSchema {
  return { items: valueRule("os", { enum: [...architectures.keys()] }) };
}

/** ACI-28: with this `os`, these words for `arch`. */
function archRules(): readonly JsonSchema[] {
  return [...architectures].map(([os, words]) => ({
    if: contains({ required: ["name", "value"], properties: { name: { const: "os" }, value: { const: os } } }),
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    then: { items: valueRule("arch", { enum: words }) },
  }));
}

function named(name: string): JsonSchema {
  return { required: ["name"], properties: { name: { const: name } } };
}

function contains(item: JsonSchema): JsonSchema {
  return { contains: item };
}

function atMostOne(name: string): JsonSchema {
  return { contains: named(name), minContains: 0, maxContains: 1 };
}

function notBoth([one, other]: readonly [string, string, string]): JsonSchema {
  return { not: { allOf: [contains(named(one)), contains(named(other))] } };
}

/** An item of that name has such a value. */
function valueRule(name: string, value: JsonSchema): JsonSchema {
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  return { if: named(name), then: { properties: { value } } };
}
