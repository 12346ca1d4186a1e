/** What a request asks for: path, range, condition. Pure; the text is a stranger's. */

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Names a file may have on its way: nothing hidden, nothing that moves elsewhere. */
function isPlainName(name: string): boolean {
  return name !== "" && !name.startsWith(".") && !/[/\\\u0000-\u001f\u007f]/.test(name);
}

/**
 * The components of the path that `target` (the second word of a request) names; undefined for what no file of a site can be. Decoded
 * once, after it was split: an encoded slash or dot never moves anywhere. A slash at the end says nothing.
 */
export function pathOf(target: string): readonly string[] | undefined {
  const path = target.split(/[?#]/, 1)[0] ?? "";
  if (path[0] !== "/") return undefined;
  const parts = path.replace(/\/$/, "").split("/").slice(1);
  try {
    const names = parts.map(decodeURIComponent);
    return names.every(isPlainName) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** The host of a Host header, without port, lower case; IPv6 without brackets. */
export function hostOf(header: string | undefined): string {
  const host = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s]+))(?::\d*)?$/i.exec(header ?? "");
  return (host?.[1] ?? host?.[2] ?? "").toLowerCase();
}

/** Of one range (RFC 9110, 14): the bytes asked for, or that there are none. Undefined: the whole is sent, as for several ranges or another unit. */
export function rangeOf(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (match === null || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

export interface Conditions {
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
}

/** Whether the client has it already (RFC 9110, 13): the tag decides when it sent one, else the time in whole seconds. */
export function isNotModified({ ifNoneMatch, ifModifiedSince }: Conditions, etag: string, modifiedAt: Date): boolean {
  if (ifNoneMatch !== undefined) {
    const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
    return tags.includes("*") || tags.includes(etag);
  }
  const since = Date.parse(ifModifiedSince ?? "");
  return !Number.isNaN(since) && Math.floor(modifiedAt.getTime() / 1000) * 1000 <= since;
}

/** Whether a range may be answered: If-Range is absent, or names exactly this version. */
export function isRangeValid(ifRange: string | undefined, etag: string, modifiedAt: Date): boolean {
  return ifRange === undefined || ifRange === etag || ifRange === modifiedAt.toUTCString();
}

const types: ReadonlyMap<string, string> = new Map([
  ["html", "text/html; charset=utf-8"],
  ["json", "application/json"],
  ["aci", "application/octet-stream"],
  ["txt", "text/plain; charset=utf-8"],
]);

/** Content type of the file with these components. */
export function typeOf(names: readonly string[]): string {
  const file = names.at(-1) ?? "";
  if (file.endsWith(".aci.asc")) return "application/pgp-signature";
  if (file.endsWith(".asc")) return "application/pgp-keys";
  return types.get(file.slice(file.lastIndexOf(".") + 1)) ?? "application/octet-stream";
}
