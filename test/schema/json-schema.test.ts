import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { jsonSchemas } from "../../src/schema/json-schema.ts";

describe("spec/schema", () => {
  for (const [name, text] of jsonSchemas()) {
    it(`${name} is what the schemas say (else: node scripts/schemas.mjs)`, () => {
      assert.equal(readFileSync(new URL(`../../../spec/schema/${name}`, import.meta.url), "utf8"), text);
    });
  }
});
