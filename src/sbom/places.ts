/** Which files of an image say what packages it has, by their paths from its root. */

export type PlaceKind =
  | "os-release"
  | "dpkg"
  | "copyright"
  | "apk"
  | "rpm-sqlite"
  | "rpm-log"
  | "rpm-ndb"
  | "rpm-bdb"
  | "package.json"
  | "package-lock";

export interface Place {
  readonly kind: PlaceKind;
  /** Bytes; a larger file is not read, and named as a problem. */
  readonly limit: number;
}

const mebi = 1024 * 1024;

const places: readonly (readonly [RegExp, PlaceKind, number])[] = [
  [/^(?:etc|usr\/lib)\/os-release$/, "os-release", mebi / 16],
  [/^var\/lib\/dpkg\/status$/, "dpkg", 64 * mebi],
  // One file for each package, in images made without dpkg itself.
  [/^var\/lib\/dpkg\/status\.d\/(?!.*\.md5sums$)[^/]+$/, "dpkg", mebi],
  [/^usr\/share\/doc\/[^/]+\/copyright$/, "copyright", 8 * mebi],
  [/^(?:usr\/)?lib\/apk\/db\/installed$/, "apk", 64 * mebi],
  [rpmFile("rpmdb\\.sqlite"), "rpm-sqlite", 256 * mebi],
  [rpmFile("rpmdb\\.sqlite-wal"), "rpm-log", 64 * mebi],
  [rpmFile("Packages\\.db"), "rpm-ndb", 256 * mebi],
  [rpmFile("Packages"), "rpm-bdb", 256 * mebi],
  [/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/, "package.json", 4 * mebi],
  [/^(?!(?:.*\/)?node_modules\/).*(?<![^/])package-lock\.json$/, "package-lock", 32 * mebi],
  [/(?:^|\/)node_modules\/\.package-lock\.json$/, "package-lock", 32 * mebi],
];

/** Databases lie in one of three directories, older first. */
function rpmFile(name: string): RegExp {
  return new RegExp(`^(?:var/lib/rpm|usr/lib/sysimage/rpm|usr/share/rpm)/${name}$`);
}

/** @param path with one character for each byte */
export function placeOf(path: string): Place | undefined {
  const found = places.find(([pattern]) => pattern.test(path));
  return found === undefined ? undefined : { kind: found[1], limit: found[2] };
}
