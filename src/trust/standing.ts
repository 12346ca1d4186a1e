/** What the files of a keystore are worth: for a name, or at all. The same facts as checks 1, 3 and 5, told instead of enforced. */
import { Failure } from "../base/failure.ts";
import type { TrustedFile } from "./inventory.ts";
import { type KeyInfo, readKeyFile } from "./keys.ts";
import { placesFor } from "./places.ts";

export type Standing = "counts" | "mask" | "masked" | "replaced" | "revoked" | "expired" | "unusable" | "elsewhere";

export interface TrustedFileStanding {
  readonly fingerprint: string;
  /** "root" or the prefix. */
  readonly scope: string;
  readonly path: string;
  /** What the file means; only `counts` lets a signature count. */
  readonly state: Standing;
  /** In words; undefined for `counts`. */
  readonly reason?: string | undefined;
  /** Of the key that is in the file, when the file is the one that is looked at. Foreign text. */
  readonly identities: readonly string[];
  readonly algorithm?: string | undefined;
  readonly expiresAt?: Date | undefined;
}

/** For each file, in order: its standing for images called `name`; without, for the images of its own scope. @throws Failure USAGE, KEY_INVALID */
export async function standingOf(
  files: readonly TrustedFile[],
  now: Date,
  name?: string,
): Promise<readonly TrustedFileStanding[]> {
  const scopes = name === undefined ? undefined : new Set(placesFor(name).map(({ scope }) => scope));
  const described: { readonly file: TrustedFile; readonly info: KeyInfo | undefined }[] = [];
  for (const file of files) described.push({ file, info: await infoOf(file, now) });
  return described.map(({ file, info }) => {
    const { fingerprint, scope, path } = file;
    const isElsewhere = scopes !== undefined && !scopes.has(scope);
    // One revoked copy takes back all that count for the same name (TRUST-13).
    const revoked = described.find(
      (other) =>
        other.info?.fingerprint === fingerprint &&
        other.info.state === "revoked" &&
        (scopes?.has(other.file.scope) ?? covers(other.file.scope, scope)),
    );
    const verdict = isElsewhere
      ? { state: "elsewhere" as const, reason: `trusted for ${scope} only, which does not cover ${name ?? ""}` }
      : verdictOn(file, info, revoked?.file.path);
    return {
      fingerprint,
      scope,
      path,
      ...verdict,
      identities: info?.identities ?? [],
      algorithm: info?.algorithm,
      expiresAt: info?.expiresAt,
    };
  });
}

type Verdict = Pick<TrustedFileStanding, "state" | "reason">;

function verdictOn(file: TrustedFile, info: KeyInfo | undefined, revokedIn: string | undefined): Verdict {
  const { hiddenBy, isMask, path } = file;
  if (hiddenBy !== undefined) {
    const state = hiddenBy.isMask ? "masked" : "replaced";
    return { state, reason: `${state} by ${hiddenBy.path}` };
  }
  if (isMask) return { state: "mask", reason: "an empty file: the key is not trusted by this place" };
  if (revokedIn !== undefined) {
    return { state: "revoked", reason: revokedIn === path ? "its owner revoked it" : `revoked in ${revokedIn}` };
  }
  if (info?.problem === undefined) return { state: "counts" };
  return { state: info.state === "expired" ? "expired" : "unusable", reason: info.problem };
}

/** Whether images of `scope` may also be covered by keys of `other`: it is the same, root, or a prefix by components. */
function covers(other: string, scope: string): boolean {
  if (other === "root" || other === scope) return true;
  return scope !== "root" && placesFor(scope).some((place) => place.scope === other);
}

async function infoOf({ key }: TrustedFile, now: Date): Promise<KeyInfo | undefined> {
  if (key === undefined) return undefined;
  const [file] = await readKeyFile(key.armored, now);
  if (file === undefined) throw new Failure("KEY_INVALID", `${key.path} holds no key`, { subject: key.path });
  return file.info;
}
