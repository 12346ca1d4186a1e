/** Alpine's database `lib/apk/db/installed`: paragraphs of one-letter fields. */
import { distributionName } from "./os-release.ts";
import { type Distribution, type FoundPackage, mostPackages } from "./package.ts";

const nameForm = /^[A-Za-z0-9@._+-]+$/;
const versionForm = /^[A-Za-z0-9._+~-]+$/;

export interface AlpineContext {
  readonly distribution?: Distribution | undefined;
  readonly place: string;
  problem(sentence: string): void;
}

export function readApkInstalled(bytes: Uint8Array, context: AlpineContext): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  const stray = (): void =>
    context.problem(`${context.place} has lines that are no fields: it is damaged, or not apk's`);
  for (const fields of entries(bytes, stray)) {
    const name = fields.get("P") ?? "";
    const version = fields.get("V") ?? "";
    if (found.length === mostPackages) {
      context.problem(`${context.place} lists more than ${mostPackages} packages`);
      break;
    }
    if (nameForm.test(name) && versionForm.test(version)) found.push(describe(name, version, fields, context));
    else context.problem(`${context.place} has an entry without a valid name and version`);
  }
  return found;
}

function describe(
  name: string,
  version: string,
  fields: ReadonlyMap<string, string>,
  { distribution, place }: AlpineContext,
): FoundPackage {
  const origin = fields.get("o");
  return {
    type: "apk",
    namespace: distribution?.id ?? "alpine",
    name,
    version,
    architecture: fields.get("A"),
    distribution: distribution === undefined ? undefined : distributionName(distribution),
    licence: fields.get("L"),
    source: origin === undefined ? undefined : `${origin} ${version}`,
    supplier: fields.get("m"),
    homepage: fields.get("U"),
    description: fields.get("T"),
    places: [place],
  };
}

/**
 * Fields of the package alone: its files come behind the first `F:`, with letters that mean something else there. `stray` is told of lines
 * that are no field.
 */
function* entries(bytes: Uint8Array, stray: () => void): Generator<ReadonlyMap<string, string>> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let fields = new Map<string, string>();
  let isInFiles = false;
  for (let at = 0; at <= buffer.length; ) {
    const found = buffer.indexOf(0x0a, at);
    const end = found < 0 ? buffer.length : found;
    const line = buffer.toString("utf8", at, end).replace(/\r$/, "");
    at = end + 1;
    if (line === "") {
      if (fields.size > 0) yield fields;
      fields = new Map();
      isInFiles = false;
    } else if (line[1] !== ":") {
      stray();
    } else if (!isInFiles) {
      const letter = line.charAt(0);
      isInFiles = letter === "F";
      if (!isInFiles && !fields.has(letter)) fields.set(letter, line.slice(2).trim());
    }
  }
  if (fields.size > 0) yield fields;
}
