/** How much of an image is read before it is refused, tar and compression together (spec/image.md has the table). */
import { defaultTarLimits, type TarLimits } from "../tar/limits.ts";
import { type DecompressionLimits, defaultDecompressionLimits } from "./compression.ts";

export interface ImageLimits extends TarLimits, DecompressionLimits {}

export const defaultImageLimits: ImageLimits = { ...defaultDecompressionLimits, ...defaultTarLimits };

/**
 * For archives of the store, whose bytes are compared with a digest: they were within the limits of the day they came, and
 * an image does not become unreadable because the limits are lower today.
 */
export const acceptedLimits: ImageLimits = {
  ...defaultImageLimits,
  entries: Number.MAX_SAFE_INTEGER,
  fileSize: Number.MAX_SAFE_INTEGER,
  totalSize: Number.MAX_SAFE_INTEGER,
  ratio: Number.MAX_SAFE_INTEGER,
  xzMemory: Number.MAX_SAFE_INTEGER,
  zstdWindow: Number.MAX_SAFE_INTEGER,
};

/** What perigee-shim and the kernel take; these may be lowered only. */
export const fixedLimits: readonly (keyof ImageLimits)[] = [
  "pathLength",
  "componentLength",
  "depth",
  "metaRecord",
  "xattrValue",
  "xattrTotal",
];
