/** JSON documents as results of commands: manifests as they are, and objects of our own with the version of their form. */
import { printable } from "../base/failure.ts";
import type { OptionSpec, OptionValues } from "./command.ts";

export const prettyPrintOptions: readonly OptionSpec[] = [
  ["--pretty-print", "indented; --pretty-print=false gives one line", "true"],
];

/** Raised when a field of an object that scripts read goes or changes its meaning, not when one comes (CLI-65). */
const formVersion = 1;

export function versioned<T extends object>(object: T): T & { readonly version: number } {
  return { version: formVersion, ...object };
}

export function documentLines(document: unknown, options: OptionValues): readonly string[] {
  return harmless(JSON.stringify(document, undefined, options.flag("pretty-print") ? 2 : undefined)).split("\n");
}

/** What printable would change is written the JSON way, so that the text is still the same document. */
function harmless(json: string): string {
  return json.replace(/[^\n\u0020-\u007e]/gu, (c) =>
    printable(c) === c ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
