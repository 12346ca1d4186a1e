/**
 * The manifests as JSON Schema, for editors and other languages. Rules across fields (uniqueness, labels that fit each other)
 * are beyond it; the zod schemas remain the judge.
 */
import * as z from "zod";
import { ImageManifest } from "./image-manifest.ts";
import { PodManifest } from "./pod-manifest.ts";

/** File name in spec/schema → content. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  return new Map([
    ["image-manifest.schema.json", schemaText(ImageManifest, "appc image manifest")],
    ["pod-manifest.schema.json", schemaText(PodManifest, "appc pod manifest")],
  ]);
}

/** The text of a file of spec/schema for `schema`. */
export function schemaText(schema: z.ZodType, title: string): string {
  // What documents may contain, not what is made of them; transforms have no form in JSON Schema.
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
