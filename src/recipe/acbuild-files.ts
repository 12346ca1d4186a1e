/** Files that an acbuild script names besides those it copies: values of isolators, further scripts. */
import { resolve } from "node:path";
import { readIfExists } from "../base/files.ts";
import { scriptFailure, type Word } from "./acbuild-words.ts";

/** Relative to the context; the script's author runs it, so a path may lead anywhere, as in acbuild. @throws Failure RECIPE_INVALID, LIMIT_EXCEEDED */
export async function readContextFile(context: string, { text, place }: Word, limit: number): Promise<Buffer> {
  const bytes = await readIfExists(resolve(context, text), limit);
  if (bytes === undefined) throw scriptFailure(place, "ACB-5", `${JSON.stringify(text)} is not there`);
  return bytes;
}
