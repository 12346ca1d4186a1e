/** What an image's tar is wrapped in when it is written (ACI-10, ACI-13). Reading is compression.ts. */
import { type ZstdParameters, zstd, zstdParameters } from "../compression/zstd-encoder.ts";
import { type GzipParameters, gzip, gzipParameters } from "./gzip.ts";

/** zstd only on request: appc does not list it, so others may not read it. */
export type ImageCompression = "gzip" | "zstd" | "none";

/** With what the bytes around the tar were made: they are the same where this is the same (REPRO-3). */
export type CompressionParameters = GzipParameters | ZstdParameters | { readonly kind: "none" };

export function compressionParameters(compression: ImageCompression): CompressionParameters {
  return { gzip: gzipParameters, zstd: zstdParameters, none: { kind: "none" } as const }[compression];
}

export function compress(tar: AsyncIterable<Uint8Array>, compression: ImageCompression): AsyncIterable<Uint8Array> {
  if (compression === "none") return tar;
  return compression === "gzip" ? gzip(tar) : zstd(tar);
}

/** The words of a command line that ask for it; none for what is done unasked. */
export function compressionWords(compression: ImageCompression = "gzip"): readonly string[] {
  return compression === "gzip" ? [] : [`--compression=${compression}`];
}
