/**
 * Where everything of a site is: file names, the URL template that leads to them, the pages that discovery asks for. Pure.
 * An image `example.com/web` of a site at https://example.com lies at `example.com/web-1.0.0-linux-amd64.aci`.
 */
import { Failure, printable } from "../base/failure.ts";
import { isUnderPrefix } from "../schema/names.ts";

/** What tells one image of a site from another. */
export interface ImageKey {
  readonly name: string;
  /** The labels; undefined when the image does not have them. */
  readonly version: string | undefined;
  readonly os: string | undefined;
  readonly arch: string | undefined;
}

/** What clients ask for when the user names no version (DISC-12). */
export const latestVersion = "latest";

/** Behind the name of an image: its signature, what is known of it, and its page. */
export const signatureSuffix = ".asc";
export const factsSuffix = ".json";
export const pageSuffix = ".html";

/** What the site holds, for programs. */
export const catalogueFile = "site.json";

/** Bytes of a file name that a label may make up; names of files end at 255. */
const labelLimit = 100;

/** The site's address: the directory is what a server answers with there. */
export interface SiteAddress {
  /** Without a slash at the end. */
  readonly url: string;
  readonly host: string;
  /** `host/path` in the form of an image name, to compare with one. */
  readonly prefix: string;
}

/** @throws Failure USAGE */
export function parseSiteUrl(text: string): SiteAddress {
  const refuse = (problem: string): Failure =>
    new Failure("USAGE", `--url ${printable(text)}: ${problem}`, { subject: text, hint: "--url https://example.com" });
  if (!URL.canParse(text)) throw refuse("this is no URL");
  const url = new URL(text);
  if (url.protocol !== "https:") throw refuse("clients discover images over https only");
  if (url.username !== "" || url.password !== "") throw refuse("everybody would see the password");
  if (url.search !== "" || url.hash !== "") throw refuse("a query or fragment has no place here");
  const decoded = decodedPath(url);
  if (decoded === undefined) throw refuse("its percent signs do not stand for UTF-8 text; a percent sign is %25");
  if (/[{}]/.test(decoded)) throw refuse("braces are part of URL templates");
  const path = url.pathname.replace(/(?<!\/)\/+$/, "");
  return { url: `https://${url.host}${path}`, host: url.hostname, prefix: `${url.hostname}${path}` };
}

function decodedPath({ pathname }: URL): string | undefined {
  try {
    return decodeURI(pathname);
  } catch {
    return undefined;
  }
}

/** Whether one template cannot be used for the image because it does not say for what machine it is. */
export function isForAnyMachine({ os, arch }: ImageKey): boolean {
  return os === undefined || arch === undefined;
}

/**
 * Path of the image below the site's directory; `version` instead of its own.
 * @throws Failure UNSUPPORTED when a label cannot be part of a file name
 */
export function imageFile(key: ImageKey, version = key.version ?? latestVersion): string {
  const labels = isForAnyMachine(key) ? [version] : [version, key.os ?? "", key.arch ?? ""];
  for (const label of labels) {
    if (label !== "" && !/[/\\\u0000-\u001f\u007f\ud800-\udfff]/u.test(label) && Buffer.byteLength(label) <= labelLimit)
      continue;
    throw new Failure(
      "UNSUPPORTED",
      `${key.name}: the label ${JSON.stringify(printable(label))} cannot be part of a file name`,
      {
        subject: key.name,
        hint: "perigee image patch-manifest can change labels; the image must be signed again then",
      },
    );
  }
  return `${[key.name, ...labels].join("-")}.aci`;
}

/** The template of DISC-4 that renders to `imageFile`. */
export function template(site: SiteAddress, anyMachine: boolean): string {
  return `${site.url}/{name}-{version}${anyMachine ? "" : "-{os}-{arch}"}.{ext}`;
}

/** URL of a file below the site's directory. */
export function fileUrl(site: SiteAddress, file: string): string {
  return `${site.url}/${file.split("/").map(encodeURIComponent).join("/")}`;
}

export function keyFile(fingerprint: string): string {
  return `keys/${fingerprint}.asc`;
}

/** DISC-7: the name and its parents, up to the host. */
export function withParents(name: string): readonly string[] {
  const parts = name.split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
}

/**
 * The page that answers https://NAME. Below the site's own address it is where a server of that directory looks for it; a name of another
 * host, or above the site's path, has it in a directory called like the name: the document root of that host is the directory HOST.
 */
export function pageFile(site: SiteAddress, name: string): string {
  const below = isUnderPrefix(name, site.prefix)
    ? name.split("/").slice(site.prefix.split("/").length)
    : name.split("/");
  return [...below, "index.html"].join("/");
}

/**
 * Of two versions the later: numbers as numbers, and a pre-release before its release (`1.10.0` > `1.9.0` > `1.9.0-rc.2`).
 * Negative, zero or positive, as for sort.
 */
export function compareVersions(left: string, right: string): number {
  const [leftMain = "", leftPre] = splitPreRelease(left);
  const [rightMain = "", rightPre] = splitPreRelease(right);
  const main = compareNatural(leftMain, rightMain);
  if (main !== 0 || leftPre === rightPre) return main;
  if (leftPre === undefined || rightPre === undefined) return leftPre === undefined ? 1 : -1;
  return compareNatural(leftPre, rightPre);
}

function splitPreRelease(version: string): readonly [string, string?] {
  const at = version.search(/[-~]/);
  return at < 0 ? [version] : [version.slice(0, at), version.slice(at + 1)];
}

function compareNatural(left: string, right: string): number {
  const parts = (text: string): readonly string[] => text.match(/\d+|\D+/g) ?? [];
  const [ours, theirs] = [parts(left), parts(right)];
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const order = comparePart(ours[i], theirs[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(left: string | undefined, right: string | undefined): number {
  if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? -1 : 1;
  if (/^\d/.test(left) && /^\d/.test(right) && BigInt(left) !== BigInt(right)) {
    return BigInt(left) < BigInt(right) ? -1 : 1;
  }
  return left < right ? -1 : left > right ? 1 : 0;
}
