/** Packages of an rpm database, whichever of its three formats it has (SBOM-2). */
import { Failure } from "../base/failure.ts";
import { distributionName } from "./os-release.ts";
import { type Distribution, type FoundPackage, mostPackages } from "./package.ts";
import { bdbBlobs } from "./rpm-bdb.ts";
import { type RpmHeader, readRpmHeader } from "./rpm-header.ts";
import { ndbBlobs } from "./rpm-ndb.ts";
import { sqliteColumn, sqlitePageSize } from "./sqlite.ts";
import { readSqliteLog } from "./sqlite-log.ts";

export interface RpmContext {
  readonly distribution?: Distribution | undefined;
  readonly place: string;
  problem(sentence: string): void;
}

export interface RpmDatabase {
  readonly format: "sqlite" | "ndb" | "bdb";
  readonly bytes: Buffer;
  /** `rpmdb.sqlite-wal`: what sqlite has not moved into the file yet. */
  readonly log?: Buffer | undefined;
}

/** A database that is damaged gives what could be read, and a problem. */
export function readRpmDatabase(database: RpmDatabase, context: RpmContext): readonly FoundPackage[] {
  const found: FoundPackage[] = [];
  try {
    for (const blob of blobs(database)) {
      const described = describe(readRpmHeader(blob), context);
      if (described !== undefined) found.push(described);
      if (found.length < mostPackages) continue;
      context.problem(`${context.place} lists more than ${mostPackages} packages`);
      break;
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.problem(`${context.place}: ${error.message}`);
  }
  return found;
}

function blobs({ format, bytes, log }: RpmDatabase): Iterable<Buffer> {
  if (format === "ndb") return ndbBlobs(bytes);
  if (format === "bdb") return bdbBlobs(bytes);
  const pages = log === undefined ? undefined : readSqliteLog(log, sqlitePageSize(bytes));
  return sqliteColumn(bytes, "Packages", 1, pages);
}

/** undefined for the keys that rpm keeps among its packages. */
function describe(header: RpmHeader, { distribution, place, problem }: RpmContext): FoundPackage | undefined {
  const text = (value: string | number | undefined): string | undefined =>
    typeof value === "string" && value !== "" && value !== "(none)" ? value : undefined;
  const [name, version, release] = [text(header.name), text(header.version), text(header.release)];
  if (name === "gpg-pubkey") return undefined;
  if (name === undefined || version === undefined || release === undefined) {
    problem(`${place} has an entry without a name, version and release`);
    return undefined;
  }
  return {
    type: "rpm",
    namespace: distribution === undefined ? undefined : (vendors.get(distribution.id) ?? distribution.id),
    name,
    version: `${version}-${release}`,
    epoch: typeof header.epoch === "number" ? header.epoch : undefined,
    architecture: text(header.arch),
    distribution: distribution === undefined ? undefined : distributionName(distribution),
    licence: text(header.licence),
    source: text(header.sourceRpm),
    supplier: text(header.vendor),
    homepage: text(header.url),
    description: text(header.summary),
    places: [place],
  };
}

/** Where purl has another word for the vendor than os-release for the distribution. */
const vendors: ReadonlyMap<string, string> = new Map([
  ["rhel", "redhat"],
  ["opensuse-leap", "opensuse"],
  ["opensuse-tumbleweed", "opensuse"],
  ["sles", "suse"],
]);
