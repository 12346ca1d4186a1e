/** Debian's database: control paragraphs, and the licences of `/usr/share/doc/NAME/copyright`. Paths are the caller's business. */
import { distributionName } from "./os-release.ts";
import { type Distribution, type FoundPackage, mostPackages } from "./package.ts";

type Paragraph = ReadonlyMap<string, string>;

/** Fields of each paragraph by lower-case name; a continued line keeps its first blank away. `stray` is told of lines that are no field. */
export function* paragraphs(bytes: Uint8Array, stray: () => void = () => {}): Generator<Paragraph> {
  let fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of lines(bytes)) {
    if (line.trim() === "") {
      if (fields.size > 0) yield fields;
      fields = new Map();
      last = undefined;
      continue;
    }
    if (line[0] === " " || line[0] === "\t") {
      if (last === undefined) stray();
      else fields.set(last, `${fields.get(last)}\n${line.slice(1)}`);
      continue;
    }
    const at = line.indexOf(":");
    last = at < 1 ? undefined : line.slice(0, at).toLowerCase();
    if (last === undefined) stray();
    if (last !== undefined && !fields.has(last)) fields.set(last, line.slice(at + 1).trim());
  }
  if (fields.size > 0) yield fields;
}

/** A line at a time: a database of many megabytes is not cut into as many strings at once. */
function* lines(bytes: Uint8Array): Generator<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < buffer.length; ) {
    const found = buffer.indexOf(0x0a, at);
    const end = found < 0 ? buffer.length : found;
    yield buffer.toString("utf8", at, end).replace(/\r$/, "");
    at = end + 1;
  }
}

const nameForm = /^[a-z0-9][a-z0-9+.-]*$/i;
const versionForm = /^[A-Za-z0-9.+~:-]+$/;

export interface DebianContext {
  readonly distribution?: Distribution | undefined;
  /** Package → what its copyright file says. */
  readonly licences: ReadonlyMap<string, string>;
  readonly place: string;
  problem(sentence: string): void;
}

/** What is installed, also when its configuration failed; what was removed and left its configuration is not there. */
export function readDpkgStatus(bytes: Uint8Array, context: DebianContext): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  const stray = (): void =>
    context.problem(`${context.place} has lines that are no fields: it is damaged, or not dpkg's`);
  for (const fields of paragraphs(bytes, stray)) {
    const state = fields.get("status")?.split(/\s+/)[2] ?? "installed";
    if (state === "not-installed" || state === "config-files") continue;
    const name = fields.get("package") ?? "";
    const version = fields.get("version") ?? "";
    if (!nameForm.test(name) || !versionForm.test(version)) {
      context.problem(`${context.place} has an entry without a valid name and version`);
      continue;
    }
    if (found.length === mostPackages) {
      context.problem(`${context.place} lists more than ${mostPackages} packages`);
      break;
    }
    found.push(describe(name, version, fields, context));
  }
  return found;
}

function describe(name: string, version: string, fields: Paragraph, context: DebianContext): FoundPackage {
  const { distribution, licences, place } = context;
  return {
    type: "deb",
    namespace: distribution?.id ?? "debian",
    name,
    version,
    architecture: fields.get("architecture"),
    distribution: distribution === undefined ? undefined : distributionName(distribution),
    licence: licences.get(name),
    source: sourceOf(name, version, fields.get("source")),
    supplier: fields.get("maintainer"),
    homepage: fields.get("homepage"),
    description: fields.get("description")?.split("\n", 1)[0],
    places: [place],
  };
}

/** `Source: NAME` or `NAME (VERSION)`; absent when both are the package's own. */
function sourceOf(name: string, version: string, source: string | undefined): string {
  const match = /^(\S+)(?:\s+\((\S+)\))?$/.exec(source ?? "");
  return `${match?.[1] ?? name} ${match?.[2] ?? version}`;
}

/**
 * The licences that a copyright file names: the short names of the machine-readable form, joined by AND; of any other file the texts in
 * /usr/share/common-licenses it points to. undefined when it names none.
 */
export function readCopyright(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString("utf8");
  const names = /^Format(?:-Specification)?:/im.test(text.slice(0, 4096)) ? shortNames(bytes) : pointedAt(text);
  const unique = [...new Set(names)].sort();
  if (unique.length === 0) return undefined;
  return unique.map((name) => (unique.length > 1 && /\s(?:and|or)\s/i.test(name) ? `(${name})` : name)).join(" AND ");
}

function shortNames(bytes: Uint8Array): readonly string[] {
  return [...paragraphs(bytes)].flatMap((fields) => {
    const name = fields.get("license")?.split("\n", 1)[0]?.trim() ?? "";
    return name === "" ? [] : [name];
  });
}

function pointedAt(text: string): readonly string[] {
  const names = [...text.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z0-9][A-Za-z0-9.+-]*)/g)];
  return names.map((match) => (match[1] ?? "").replace(/(?<![.+-])[.+-]+$/, "")).filter((name) => name !== "");
}
