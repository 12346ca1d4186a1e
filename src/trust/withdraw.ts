/** Taking trust away again: key files are removed, and masked where a directory that is not ours would bring them back (TRUST-3). */
import { unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../base/failure.ts";
import { ioFailure, syncDirectory, writeAtomic } from "../base/files.ts";
import { effectiveFile } from "./keystore.ts";
import { allPlaces, type Place, prefixPlace, rootPlace } from "./places.ts";
import { checkChain, listDirectory, makeTrustedDirectories, readTrusted } from "./trusted-files.ts";

export interface WithdrawOptions {
  /** All that are read, lowest precedence first. */
  readonly directories: readonly string[];
  /** Those of them whose files are the caller's to remove. */
  readonly writable: readonly string[];
  /** The one of them that a mask is put into; those behind it are writable too. */
  readonly own: string;
}

export interface Withdrawn {
  readonly fingerprint: string;
  /** "root" or the prefix. */
  readonly scope: string;
  readonly removed: readonly string[];
  /** The empty file that hides what stays in a directory of others. */
  readonly mask?: string | undefined;
}

/** Of one key and place: which is trusted, and where. */
export interface TrustedPlace {
  readonly fingerprint: string;
  readonly place: Place;
}

/**
 * Where keys whose fingerprint begins with `digits` are trusted now: in `scope`, or anywhere. Looks at names, not into keys, so that a
 * broken file can be removed as well.
 * @throws Failure CONFIG_INVALID, LIMIT_EXCEEDED
 */
export function trustedPlaces(
  directories: readonly string[],
  digits: string,
  scope?: { readonly prefix: string } | "root",
): readonly TrustedPlace[] {
  const own = scope === undefined || scope === "root" ? rootPlace : prefixPlace(scope.prefix);
  const places = scope === undefined ? allPlaces(directories) : [own];
  return places.flatMap((place) => {
    const names = new Set(directories.flatMap((base) => listDirectory(base, place.path).files));
    const matching = [...names].filter(
      (name) => /^[0-9a-f]{40}$/.test(name) && name.slice(0, digits.length) === digits,
    );
    return matching
      .filter((fingerprint) => effectiveFile(directories, place, fingerprint) !== undefined)
      .map((fingerprint) => ({ fingerprint, place }));
  });
}

/** Makes durable what is not there: who removed it may have been killed before he had, and nobody would look for it again (DUR-2). */
export async function syncPlaces(bases: readonly string[]): Promise<void> {
  for (const base of bases) {
    for (const { path } of allPlaces([base])) if (checkChain(base, path)) await syncDirectory(join(base, ...path));
  }
}

/** Afterwards the key is not trusted by that place, whatever earlier directories hold. @throws Failure IO_FAILED, CONFIG_INVALID */
export async function withdraw(options: WithdrawOptions, { fingerprint, place }: TrustedPlace): Promise<Withdrawn> {
  const { directories, writable, own } = options;
  const holding = writable.filter((base) => (readTrusted(base, place.path, fingerprint)?.length ?? 0) > 0);
  const others = directories.filter((base) => !writable.includes(base));
  const isMaskNeeded = effectiveFile(others, place, fingerprint) !== undefined;
  let mask: string | undefined;
  if (isMaskNeeded) {
    // First, and in place of our own file, so that no moment and no crash lets the lower file count again.
    mask = join(await makeTrustedDirectories(own, place.path), fingerprint);
    await writeAtomic(mask, "", 0o644);
  }
  const removed: string[] = [];
  for (const base of holding) {
    const path = join(base, ...place.path, fingerprint);
    if (path !== mask) await remove(path);
    removed.push(path);
  }
  if (effectiveFile(directories, place, fingerprint) !== undefined) {
    throw new Failure("IO_FAILED", `the key is still trusted for ${place.scope}`, { subject: fingerprint });
  }
  return { fingerprint, scope: place.scope, removed, mask };
}

async function remove(path: string): Promise<void> {
  try {
    unlinkSync(path);
  } catch (error) {
    throw ioFailure(error, `cannot remove ${path}`, path);
  }
  await syncDirectory(dirname(path));
}
