/** `/etc/os-release` of an image: what its packages are packages of. Never sourced, as a shell would. */
import type { Distribution } from "./package.ts";

const field = /^([A-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']*))\s*$/;

/** undefined when there is no ID in the form that the format allows. */
export function parseOsRelease(bytes: Uint8Array): Distribution | undefined {
  const fields = new Map<string, string>();
  for (const line of Buffer.from(bytes).toString("utf8").split("\n")) {
    const [, name, double, single, bare] = field.exec(line.trim()) ?? [];
    if (name === undefined) continue;
    fields.set(name, double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "");
  }
  const id = fields.get("ID") ?? "";
  if (!/^[a-z0-9._-]{1,64}$/.test(id)) return undefined;
  const version = fields.get("VERSION_ID") ?? "";
  return {
    id,
    version: /^[A-Za-z0-9._~+-]{1,64}$/.test(version) ? version : undefined,
    title: fields.get("PRETTY_NAME") ?? fields.get("NAME"),
  };
}

/** `debian-12`; the ID alone where there is no version, as on distributions that roll. */
export function distributionName({ id, version }: Distribution): string {
  return version === undefined ? id : `${id}-${version}`;
}
