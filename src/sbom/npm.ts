/** npm packages: `package.json` below node_modules, and what a lockfile says of the packages it lists. */
import { Failure } from "../base/failure.ts";
import { parseStrictJson } from "../schema/strict-json.ts";
import type { FoundPackage } from "./package.ts";

const nameForm = /^(?:(@[A-Za-z0-9._~-]+)\/)?([A-Za-z0-9._~-]+)$/;
const versionForm = /^\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.+-]+)?$/;

type Fields = Readonly<Record<string, unknown>>;

/** @returns undefined when it is no package of npm's: many packages carry further files of this name, without name or version */
export function readPackageJson(bytes: Uint8Array, place: string): FoundPackage | undefined {
  const fields = parse(bytes, place);
  const { name, version, description, homepage } = fields;
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  return packageOf(name, version, place, {
    licence: licenceText(fields["license"] ?? fields["licenses"]),
    supplier: personText(fields["author"]),
    homepage: typeof homepage === "string" ? homepage : undefined,
    description: typeof description === "string" ? description : undefined,
  });
}

export interface LockedPackage {
  /** Its directory below that of the lockfile, such as `node_modules/a`. */
  readonly path: string;
  readonly found: FoundPackage;
}

/** What a package-lock.json (versions 2 and 3) lists for use, without what is for development only. @throws Failure JSON_INVALID, LIMIT_EXCEEDED */
export function readPackageLock(bytes: Uint8Array, place: string): readonly LockedPackage[] {
  const listed = fieldsOf(parse(bytes, place)["packages"]) ?? {};
  return Object.entries(listed).flatMap(([path, value]) => {
    const fields = fieldsOf(value);
    const version = fields?.["version"];
    if (fields === undefined || fields["dev"] === true || fields["link"] === true) return [];
    const own = path.split("node_modules/").at(-1) ?? "";
    const name = typeof fields["name"] === "string" ? fields["name"] : own;
    if (!path.includes("node_modules/") || typeof version !== "string") return [];
    const found = packageOf(name, version, place, {
      licence: licenceText(fields["license"]),
      sha512: integrityOf(fields["integrity"]),
    });
    return found === undefined ? [] : [{ path, found }];
  });
}

function parse(bytes: Uint8Array, place: string): Fields {
  return fieldsOf(parseStrictJson(bytes, place, { bytes: bytes.length, depth: 64 })) ?? {};
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function packageOf(
  fullName: string,
  version: string,
  place: string,
  details: Pick<FoundPackage, "licence" | "supplier" | "homepage" | "description" | "sha512">,
): FoundPackage | undefined {
  const [, namespace, name] = nameForm.exec(fullName) ?? [];
  if (name === undefined || fullName.length > 214 || !versionForm.test(version) || version.length > 256)
    return undefined;
  return { type: "npm", namespace, name, version, ...details, places: [place] };
}

/** An expression; or of older packages `{type}` or a list of such. */
function licenceText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) {
    const texts = value.map(licenceText);
    return texts.includes(undefined) || texts.length === 0 ? undefined : texts.join(" OR ");
  }
  const type = fieldsOf(value)?.["type"];
  return typeof type === "string" ? type : undefined;
}

/** `Name <mail> (url)`, or its parts. */
function personText(value: unknown): string | undefined {
  if (typeof value === "string") return value.replace(/(?<!\s)\s*\([^()]*\)\s*$/, "");
  const { name, email } = fieldsOf(value) ?? {};
  if (typeof name !== "string") return undefined;
  return typeof email === "string" ? `${name} <${email}>` : name;
}

/** `sha512-BASE64`, perhaps among other digests. */
function integrityOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const digest = /(?:^|\s)sha512-([A-Za-z0-9+/]{86}==)(?:\s|$)/.exec(value)?.[1];
  return digest === undefined ? undefined : Buffer.from(digest, "base64").toString("hex");
}

/** Whether what could not be read is the file's fault and not ours. */
export function isUnreadable(error: unknown): error is Failure {
  return error instanceof Failure && (error.code === "JSON_INVALID" || error.code === "LIMIT_EXCEEDED");
}
