/** The limits of readers, kept by who writes: an image that would be made and then refused is refused before it is made (ACI-12). */
import { Failure } from "../base/failure.ts";
import { showPath, type TarEntry } from "../tar/entry.ts";
import { mostXattrs, xattrPrefix } from "../tar/resolve.ts";
import { ratioCountsFrom } from "./compression.ts";
import { gzipParameters } from "./gzip.ts";
import type { ImageLimits } from "./limits.ts";

export type Bounds = Pick<
  ImageLimits,
  "entries" | "fileSize" | "totalSize" | "pathLength" | "xattrValue" | "xattrTotal"
>;

/** Called for each entry in order; paths are the business of normalisePath. @throws Failure LIMIT_EXCEEDED */
export function boundsChecker(limits: Bounds): (entry: TarEntry) => void {
  let [entries, bytes] = [0, 0];
  return ({ path, size, link, xattrs }) => {
    entries += 1;
    bytes += size;
    if (entries > limits.entries) throw tooMuch(`more than ${limits.entries} entries`, "entries");
    if (size > limits.fileSize) throw tooMuch(`${showPath(path)} with ${size} bytes`, "fileSize", limits.fileSize);
    if (bytes > limits.totalSize) throw tooMuch(`more than ${limits.totalSize} bytes`, "totalSize");
    if (link.length > limits.pathLength) {
      throw tooMuch(`${showPath(path)} with a target of ${link.length} bytes`, "pathLength", limits.pathLength);
    }
    if (xattrs.length > 0) checkXattrs({ path, xattrs }, limits);
  };
}

function checkXattrs({ path, xattrs }: Pick<TarEntry, "path" | "xattrs">, { xattrValue, xattrTotal }: Bounds): void {
  let total = 0;
  for (const { name, value } of xattrs) {
    total += xattrPrefix.length + name.length + value.length;
    if (value.length > xattrValue)
      throw tooMuch(`${showPath(path)} with an attribute of ${value.length} bytes`, "xattrValue", xattrValue);
  }
  if (xattrs.length > mostXattrs) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `${showPath(path)} has ${xattrs.length} attributes; an image holds ${mostXattrs} of a file`,
    );
  }
  if (total > xattrTotal)
    throw tooMuch(`${showPath(path)} with attributes of ${total} bytes`, "xattrTotal", xattrTotal);
}

/** `bytes` of the tar have been written. @throws Failure LIMIT_EXCEEDED */
export function requireTotal(bytes: number, totalSize: number): void {
  if (bytes > totalSize) throw tooMuch(`more than ${totalSize} bytes`, "totalSize");
}

/**
 * What gzip.ts made, as far as a reader would follow: at no place may more come out of it than `ratio` times what went in. Each chunk behind
 * the first is one block of the tar, of which it has read `given` bytes so far.
 * @throws Failure LIMIT_EXCEEDED
 */
export async function* withinRatio(
  chunks: AsyncIterable<Uint8Array>,
  given: () => number,
  ratio: number,
): AsyncGenerator<Uint8Array> {
  let [made, blocks] = [0, 0];
  for await (const chunk of chunks) {
    made += chunk.length;
    const unpacked = Math.min(given(), blocks * gzipParameters.block);
    blocks += 1;
    if (unpacked > ratioCountsFrom && unpacked > made * ratio) {
      throw tooMuch(`${unpacked} bytes in ${made} compressed ones`, "ratio", ratio, "; --no-compression has no ratio");
    }
    yield chunk;
  }
}

function tooMuch(what: string, name: keyof ImageLimits, limit?: number, instead = ""): Failure {
  const of = limit === undefined ? "" : ` (${name} is ${limit})`;
  return new Failure("LIMIT_EXCEEDED", `the image would hold ${what}${of}, and its readers would refuse it`, {
    hint: `raise ${name} in limits.d, here and where the image is read (docs/limits.md)${instead}`,
  });
}
