/** Package URLs (SBOM-4), in their canonical form: what scanners compare packages by. */
import type { FoundPackage } from "./package.ts";

/** Letters, digits, `.-_~` and the colon mean themselves; every other byte is encoded. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%3A/g, ":");
}

/** `pkg:TYPE/NAMESPACE/NAME@VERSION?arch=…`; of an rpm the epoch is a qualifier, of a deb it is part of the version. */
export function purlOf(found: FoundPackage): string {
  const { type, namespace, name, version, architecture, epoch, distribution } = found;
  const path = namespace === undefined ? [name] : [namespace, name];
  const qualifiers = [
    ["arch", architecture],
    ["distro", distribution],
    ["epoch", epoch === undefined ? undefined : String(epoch)],
  ] as const;
  const query = qualifiers.flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [`${key}=${encode(value)}`],
  );
  const front = `pkg:${type}/${path.map(encode).join("/")}@${encode(version)}`;
  return query.length === 0 ? front : `${front}?${query.join("&")}`;
}
