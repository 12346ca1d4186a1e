/** Which extended attributes belong to an image, as perigee-shim's unpack applies them. */

/**
 * File capabilities, ACLs and what users set. Labels and hashes of the host's security modules mean nothing elsewhere, and
 * overlay attributes would forge whiteouts and redirects (X01, X02, X07).
 */
export function isImageXattr(name: string): boolean {
  const [kind, next] = name.split(".");
  if (kind === "user") return next !== "overlay";
  return name === "security.capability" || name === "system.posix_acl_access" || name === "system.posix_acl_default";
}
