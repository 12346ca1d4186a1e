/** The cases of spec/vectors, which any implementation could be run over. */
import { readFileSync } from "node:fs";

/** The array in spec/vectors/NAME.json. */
export function vectors<T>(name: string): readonly T[] {
  const cases: unknown = JSON.parse(
    readFileSync(new URL(`../../../spec/vectors/${name}.json`, import.meta.url), "utf8"),
  );
  if (!Array.isArray(cases) || cases.length === 0) throw new Error(`spec/vectors/${name}.json holds no cases`);
  return cases as readonly T[];
}
