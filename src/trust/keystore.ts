/**
 * The trusted keys: which files there are, and which of them count for a name. Loads neither zod nor openpgp, because `run` asks it
 * (architecture 10). What a key is worth is decided in verify.ts.
 */
import { join } from "node:path";
import { sha512 } from "../base/digest.ts";
import { Failure } from "../base/failure.ts";
import { writeAtomic } from "../base/files.ts";
import { publicFingerprints } from "./key-file.ts";
import { allPlaces, type Place, placesFor, prefixPlace, rootPlace } from "./places.ts";
import { checkChain, listDirectory, makeTrustedDirectories, readTrusted } from "./trusted-files.ts";

export interface KeystoreDirectories {
  /** Highest precedence last: system, local, user; each holds trustedkeys/. */
  readonly directories: readonly string[];
  /** Lower-case hex; node:crypto's when absent, which takes longer to load than all else that `run` asks of a keystore. */
  readonly sha512?: (bytes: Uint8Array) => string;
}

export interface TrustedKey {
  /** 40 lower-case hex digits. */
  readonly fingerprint: string;
  readonly path: string;
  /** sha512 hex of the key file. */
  readonly digest: string;
  /** "root" or the prefix. */
  readonly scope: string;
  readonly armored: Buffer;
}

export interface Keystore {
  /** Keys whose scope covers `name` by whole components, masks applied (T-S15, T-S27). `name` undefined: every trusted key. */
  keysFor(name: string | undefined): Promise<readonly TrustedKey[]>;
  /** Cheap, without openpgp: whether the key file that vouched is still trusted for `name`, and has still that digest. */
  vouches(name: string, fingerprint: string, digest: string): Promise<"yes" | "changed" | "no">;
}

/** @throws Failure (from its methods) CONFIG_INVALID, LIMIT_EXCEEDED, KEY_INVALID, each naming the file that must be put right */
export function openKeystore({ directories, sha512: digestOf = sha512 }: KeystoreDirectories): Keystore {
  return {
    async keysFor(name) {
      const places = name === undefined ? allPlaces(directories) : placesFor(name);
      return places.flatMap((place) => keysAt(directories, place));
    },
    async vouches(name, fingerprint, digest) {
      requireFingerprint(fingerprint);
      let verdict: "yes" | "no" = "no";
      for (const place of placesFor(name)) {
        const bytes = effectiveFile(directories, place, fingerprint);
        if (bytes === undefined) continue;
        // Any copy that differs may hold a revocation, so one that is as it was does not settle it.
        if (digestOf(bytes) !== digest) return "changed";
        verdict = "yes";
      }
      return verdict;
    },
  };
}

/** The keys of one place: of files of the same name the highest directory's counts, and an empty one means none (T-S27). */
function keysAt(directories: readonly string[], place: Place): readonly TrustedKey[] {
  const owners = new Map<string, string>();
  for (const base of directories) {
    for (const file of listDirectory(base, place.path).files) {
      if (!/^[0-9a-f]{40}$/.test(file)) throw misnamed(join(base, ...place.path, file));
      owners.set(file, base);
    }
  }
  const keys: TrustedKey[] = [];
  for (const [fingerprint, base] of owners) {
    const armored = readTrusted(base, place.path, fingerprint);
    if (armored === undefined || armored.length === 0) continue;
    keys.push(trustedKey(join(base, ...place.path, fingerprint), place.scope, fingerprint, armored));
  }
  return keys;
}

/** The bytes of the file that counts for `fingerprint` in `place`; undefined when there is none or it is masked. */
export function effectiveFile(directories: readonly string[], place: Place, fingerprint: string): Buffer | undefined {
  for (const base of directories.toReversed()) {
    const bytes = readTrusted(base, place.path, fingerprint);
    if (bytes !== undefined) return bytes.length === 0 ? undefined : bytes;
  }
  return undefined;
}

/** Every file of the key, in whatever place, also those that count for nothing (TRUST-26). */
export function copiesOf(
  directories: readonly string[],
  fingerprint: string,
): readonly Pick<TrustedKey, "path" | "armored">[] {
  requireFingerprint(fingerprint);
  return allPlaces(directories).flatMap((place) =>
    directories.flatMap((base) => {
      const armored = readTrusted(base, place.path, fingerprint);
      const path = join(base, ...place.path, fingerprint);
      return armored === undefined || armored.length === 0 ? [] : [{ path, armored }];
    }),
  );
}

/** @throws Failure KEY_INVALID unless the file holds exactly the key that its name says (T-S26) */
export function trustedKey(path: string, scope: string, fingerprint: string, armored: Buffer): TrustedKey {
  let actual: string;
  try {
    [actual] = publicFingerprints(armored);
  } catch (cause) {
    throw new Failure("KEY_INVALID", `${path} is not a usable key file`, { subject: path, cause });
  }
  if (actual !== fingerprint) {
    throw new Failure("KEY_INVALID", `${path} holds another key than its name says`, {
      subject: path,
      cause: `its fingerprint is ${actual}`,
    });
  }
  return { fingerprint, path, digest: sha512(armored), scope, armored };
}

export function misnamed(path: string): Failure {
  return new Failure("KEY_INVALID", `${path}: files of trusted keys are named by their fingerprint`, {
    subject: path,
    hint: "remove it, or name it with the 40 lower-case hex digits of the key",
  });
}

function requireFingerprint(fingerprint: string): void {
  if (!/^[0-9a-f]{40}$/.test(fingerprint)) throw new Failure("INTERNAL", "not a fingerprint", { subject: fingerprint });
}

type Scope = { readonly prefix: string } | "root";

function placeFor(scope: Scope): Place {
  return scope === "root" ? rootPlace : prefixPlace(scope.prefix);
}

/** To be asked before anything is made there. @throws Failure CONFIG_INVALID when others could write where a key of `scope` would be stored */
export function checkPlace(directory: string, scope: Scope): void {
  checkChain(directory, placeFor(scope).path);
}

/**
 * Stores `armored`, one public key, as DIRECTORY/trustedkeys/{root.d|prefix.d/…}/FINGERPRINT: the exact bytes shown to the user (T-D10).
 * @throws Failure KEY_INVALID when it holds anything but one armoured public key; CONFIG_INVALID when others could write there
 */
export async function storeTrustedKey(directory: string, scope: Scope, armored: Buffer): Promise<TrustedKey> {
  const [fingerprint] = publicFingerprints(armored);
  const place = placeFor(scope);
  const path = join(await makeTrustedDirectories(directory, place.path), fingerprint);
  await writeAtomic(path, armored, 0o644);
  return trustedKey(path, place.scope, fingerprint, armored);
}
