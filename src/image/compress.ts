/** What an image's tar is wrapped in when it is written (ACI-10). Reading is compression.ts. */
import { type GzipParameters, gzip, gzipParameters } from "./gzip.ts";

export type ImageCompression = "gzip" | "none";

/** With what the bytes around the tar were made: they are the same where this is the same (REPRO-3). */
export type CompressionParameters = GzipParameters | { readonly kind: "none" };

export function compressionParameters(compression: ImageCompression): CompressionParameters {
  return compression === "gzip" ? gzipParameters : { kind: "none" };
}

export function compress(tar: AsyncIterable<Uint8Array>, compression: ImageCompression): AsyncIterable<Uint8Array> {
  return compression === "gzip" ? gzip(tar) : tar;
}
