/** Writes spec/schema from the compiled schemas: `npx tsc && node scripts/schemas.mjs`. A test fails while they differ. */
import { writeFileSync } from "node:fs";
import { recipeSchemas } from "../build/src/recipe/document.js";
import { jsonSchemas } from "../build/src/schema/json-schema.js";

for (const [name, text] of [...jsonSchemas(), ...recipeSchemas()]) {
  writeFileSync(new URL(`../spec/schema/${name}`, import.meta.url), text);
}
