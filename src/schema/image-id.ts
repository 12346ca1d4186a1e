/** Image IDs (ACI-11, TYPE-6): `sha512-` and the full hex of the uncompressed tar. */
import * as z from "zod";

export const ImageID = z
  .string()
  .regex(/^sha512-[0-9a-f]{128}$/, "TYPE-6: sha512- and 128 hex digits")
  .brand<"ImageID">();
export type ImageID = z.infer<typeof ImageID>;

/** In a document a shortened ID is read too, as rkt wrote 64 digits; it is a prefix, never a full identity. */
export const ImageIDPrefix = z.string().regex(/^sha512-[0-9a-f]{8,128}$/, "TYPE-6: sha512- and 8 to 128 hex digits");

/** The ID of the tar whose SHA-512 is `hex` (128 lower-case digits). */
export function imageID(hex: string): ImageID {
  return ImageID.parse(`sha512-${hex}`);
}

/** `sha512-` + 12 digits, for tables. */
export function shortId(id: string): string {
  return id.slice(0, 19);
}
