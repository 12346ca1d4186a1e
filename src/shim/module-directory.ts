/** The directory of the running module, whether it is one of the compiled files or part of an ESM or CommonJS bundle. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** In CommonJS there is no import.meta.url, in ESM no __filename. */
export function moduleDirectory(): string {
  return dirname(typeof __filename === "string" ? __filename : fileURLToPath(import.meta.url));
}
