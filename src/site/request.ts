/** What a request asks for: path, host, range. Pure; the text is a stranger's. */

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
 * once, after it was split: an encoded slash or dot never moves anywhere. A slash at the end is for isDirectoryPath.
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

/** Whether `target` names a directory by the slash at its end. */
export function isDirectoryPath(target: string): boolean {
  return (target.split(/[?#]/, 1)[0] ?? "").at(-1) === "/";
}

/**
 * Where a browser goes that asked for the page of a directory without the slash at its end: the links of the page are relative to it.
 * Undefined for clients of meta discovery, who say what they are (DISC-1) and follow no link: they are spared the way.
 */
export function pageRedirect(target: string, path: readonly string[]): string | undefined {
  const query = /^[^?#]*(\?[^#]*)/.exec(target)?.[1] ?? "";
  if (path.length === 0 || isDirectoryPath(target) || /[?&]ac-discovery=1(?:&|$)/.test(query)) return undefined;
  return `/${path.map(encodeURIComponent).join("/")}/${query}`;
}

/** The host of a Host header, without port, lower case; IPv6 without brackets. */
export function hostOf(header: string | undefined): string {
  const host = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s]+))(?::\d*)?$/i.exec(header ?? "");
  return (host?.[1] ?? host?.[2] ?? "").toLowerCase();
}

/**
 * Of one range (RFC 9110, 14): the bytes asked for, or that there are none. Undefined: the whole is sent, as for several ranges, for what
 * is no range, and for another unit.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const list = /^bytes=(.*)$/i.exec(header ?? "")?.[1] ?? "";
  const [only = "", ...others] = list.split(",").map((range) => range.trim());
  const match = /^(\d*)-(\d*)$/.exec(only);
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (match === null || (first === "" && last === "") || others.some((range) => range !== "")) return undefined;
  if (first === "") {
    // The last bytes of nothing are there, but no Content-Range can say so.
    if (size === 0 && Number(last) > 0) return undefined;
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
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
