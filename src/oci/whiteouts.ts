/** The names by which a layer says that something below it is gone (OCI-14). Pure. */
import { Failure } from "../base/failure.ts";

export type LayerName =
  | { readonly kind: "plain" }
  /** `name` of the layers below is gone. */
  | { readonly kind: "whiteout"; readonly name: string }
  /** All that the layers below have in this directory is gone. */
  | { readonly kind: "opaque" }
  /** Bookkeeping of an old driver, which stands for nothing. */
  | { readonly kind: "nothing" };

const prefix = ".wh.";

/** @param name the last component of an entry's path @throws Failure ARCHIVE_INVALID for one that would take away `.`, `..` or nothing (D07…D09) */
export function readName(name: string, shown: string): LayerName {
  if (name.slice(0, prefix.length) !== prefix) return { kind: "plain" };
  const hidden = name.slice(prefix.length);
  if (hidden === ".wh..opq") return { kind: "opaque" };
  if (hidden.slice(0, prefix.length) === prefix) return { kind: "nothing" };
  if (hidden !== "" && hidden !== "." && hidden !== "..") return { kind: "whiteout", name: hidden };
  throw new Failure("ARCHIVE_INVALID", `${shown} takes away what has no name`, { subject: shown });
}

/** Whether a component on the way to an entry is such a name: nothing can lie below one. */
export function hasWhiteoutAbove(parent: string): boolean {
  return parent.split("/").some((part) => part.slice(0, prefix.length) === prefix);
}
