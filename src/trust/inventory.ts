/**
 * Every file of trusted keys, also those that count for nothing: what people ask about their keystore. Reads files as keystore.ts does
 * and with the same suspicion; what the keys in them are worth is standing.ts's.
 */
import { join } from "node:path";
import { misnamed, type TrustedKey, trustedKey } from "./keystore.ts";
import { allPlaces, type Place } from "./places.ts";
import { listDirectory, readTrusted } from "./trusted-files.ts";

export interface TrustedFile {
  readonly fingerprint: string;
  /** "root" or the prefix. */
  readonly scope: string;
  readonly path: string;
  /** The key, when this is the file that counts in its place. */
  readonly key?: TrustedKey | undefined;
  /** An empty file: it hides files of the same name in earlier directories (TRUST-3). */
  readonly isMask: boolean;
  /** The file of a later directory that stands in its way. */
  readonly hiddenBy?: { readonly path: string; readonly isMask: boolean } | undefined;
}

/**
 * All files of `directories` (lowest precedence first), root's first, then by prefix and fingerprint; of one place, the file that counts first.
 * @throws Failure CONFIG_INVALID, LIMIT_EXCEEDED, KEY_INVALID, each naming the file that must be put right
 */
export function listTrustedFiles(directories: readonly string[]): readonly TrustedFile[] {
  const [root, ...prefixes] = allPlaces(directories);
  const sorted = prefixes.sort((a, b) => (a.scope < b.scope ? -1 : 1));
  return [...(root === undefined ? [] : [root]), ...sorted].flatMap((place) => filesAt(directories, place));
}

function filesAt(directories: readonly string[], place: Place): readonly TrustedFile[] {
  const owners = new Map<string, string[]>();
  for (const base of directories.toReversed()) {
    for (const name of listDirectory(base, place.path).files) {
      if (!/^[0-9a-f]{40}$/.test(name)) throw misnamed(join(base, ...place.path, name));
      owners.set(name, [...(owners.get(name) ?? []), base]);
    }
  }
  const names = [...owners.keys()].sort();
  return names.flatMap((fingerprint) => filesOf(owners.get(fingerprint) ?? [], place, fingerprint));
}

/** `bases`: highest precedence first. */
function filesOf(bases: readonly string[], place: Place, fingerprint: string): readonly TrustedFile[] {
  const files: TrustedFile[] = [];
  for (const base of bases) {
    const bytes = readTrusted(base, place.path, fingerprint);
    if (bytes === undefined) continue;
    const path = join(base, ...place.path, fingerprint);
    const [first] = files;
    const isMask = bytes.length === 0;
    const counts = first === undefined && !isMask;
    files.push({
      fingerprint,
      scope: place.scope,
      path,
      isMask,
      key: counts ? trustedKey(path, place.scope, fingerprint, bytes) : undefined,
      hiddenBy: first === undefined ? undefined : { path: first.path, isMask: first.isMask },
    });
  }
  return files;
}
