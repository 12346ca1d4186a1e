/** The trusted keys as they are: listed, explained for one image name, taken out again. Trusting one is trust.ts's. */
import { Failure } from "../base/failure.ts";
import { parseReference } from "../fetch/reference.ts";
import { listTrustedFiles } from "../trust/inventory.ts";
import { formatFingerprint } from "../trust/keys.ts";
import { standingOf, type TrustedFileStanding } from "../trust/standing.ts";
import { syncPlaces, type TrustedPlace, trustedPlaces, type Withdrawn, withdraw } from "../trust/withdraw.ts";
import { changingKeystore, keystoreDirectories, ownKeystoreDirectory } from "./keystore.ts";
import type { Settings } from "./settings.ts";
import type { TrustScope } from "./trust.ts";

export interface ListTrustedOptions {
  readonly now?: Date | undefined;
}

/**
 * Every file of the keystore with what it means for the images of its scope, masks and hidden files included.
 * @throws Failure CONFIG_INVALID, KEY_INVALID, LIMIT_EXCEEDED when the keystore cannot be used
 */
export async function listTrusted(
  settings: Settings,
  { now = new Date() }: ListTrustedOptions = {},
): Promise<readonly TrustedFileStanding[]> {
  return await standingOf(listTrustedFiles(keystoreDirectories(settings)), now);
}

export interface CheckedTrust {
  readonly name: string;
  /** Whether a signature by any key would count now. */
  readonly isTrusted: boolean;
  /** Those that count first; then those that would, but for a reason; keys of other names last. */
  readonly keys: readonly TrustedFileStanding[];
}

export interface CheckTrustOptions {
  /** As an image is named for fetch; labels do not matter. */
  readonly name: string;
  readonly now?: Date | undefined;
}

/** Which keys count for an image of that name, and why the others do not. @throws Failure USAGE, and as listTrusted */
export async function checkTrust(
  settings: Settings,
  { name: text, now = new Date() }: CheckTrustOptions,
): Promise<CheckedTrust> {
  const reference = parseReference(text);
  if (reference.kind !== "name") {
    throw new Failure("USAGE", "keys are trusted for names; this is none", {
      subject: text,
      hint: "for example perigee trust check example.com/web",
    });
  }
  const { name } = reference;
  const keys = await standingOf(listTrustedFiles(keystoreDirectories(settings)), now, name);
  const rank = ({ state }: TrustedFileStanding) => (state === "counts" ? 0 : state === "elsewhere" ? 2 : 1);
  return {
    name,
    isTrusted: keys.some(({ state }) => state === "counts"),
    keys: keys.toSorted((a, b) => rank(a) - rank(b)),
  };
}

export interface UntrustOptions {
  /** The fingerprint, or a prefix of at least 8 digits that only one trusted key has. */
  readonly fingerprint: string;
  /** Undefined: wherever it is trusted. */
  readonly scope?: TrustScope | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * From now on the key does not count there: its files are removed, and those of directories that are not the caller's are masked.
 * Stored images that only it vouched for do not run any more (TRUST-20).
 * @throws Failure USAGE, NOT_FOUND, AMBIGUOUS, CONFIG_INVALID, IO_FAILED
 */
export async function untrustKey(settings: Settings, options: UntrustOptions): Promise<readonly Withdrawn[]> {
  const { scope } = options;
  const digits = options.fingerprint.replace(/[\s:]|^0x/gi, "").toLowerCase();
  if (!/^[0-9a-f]{8,40}$/.test(digits)) {
    throw new Failure("USAGE", "a key is named by its fingerprint, or at least the first 8 digits of it", {
      subject: options.fingerprint,
      hint: "perigee trust list",
    });
  }
  const directories = keystoreDirectories(settings);
  const { localConfig, userConfig } = settings.directories;
  // The system's directory belongs to a package manager, which would bring back what is removed there.
  const writable = [...new Set(settings.caller.isRoot ? [localConfig, userConfig] : [userConfig])];
  const [fingerprint, ...others] = new Set(trustedPlaces(directories, digits, scope).map((one) => one.fingerprint));
  if (fingerprint === undefined) {
    await syncPlaces(writable);
    throw notTrusted(directories, digits, scope);
  }
  if (others.length > 0) {
    throw new Failure("AMBIGUOUS", `several trusted keys start with ${digits}`, {
      subject: digits,
      cause: [fingerprint, ...others].join(", "),
    });
  }
  const own = ownKeystoreDirectory(settings);
  const withdrawn = await changingKeystore(settings, options.signal, async () => {
    const done: Withdrawn[] = [];
    // Looked at again: somebody else may have been at it just now.
    for (const place of trustedPlaces(directories, fingerprint, scope)) {
      done.push(await withdraw({ directories, writable, own }, place));
    }
    return done;
  });
  if (withdrawn.length === 0) {
    await syncPlaces(writable);
    throw notTrusted(directories, digits, scope);
  }
  warnOfOthers(settings, directories, fingerprint);
  return withdrawn;
}

function notTrusted(directories: readonly string[], digits: string, scope: TrustScope | undefined): Failure {
  const elsewhere: readonly TrustedPlace[] = scope === undefined ? [] : trustedPlaces(directories, digits);
  const where = scope === undefined ? "" : ` for ${scopeName(scope)}`;
  return new Failure("NOT_FOUND", `no key ${digits} is trusted${where}`, {
    subject: digits,
    cause: elsewhere.length === 0 ? undefined : `trusted for ${elsewhere.map(({ place }) => place.scope).join(", ")}`,
    hint: "perigee trust list",
  });
}

/** Who takes a key from one place may think that it is gone. */
function warnOfOthers({ log }: Settings, directories: readonly string[], fingerprint: string): void {
  const left = trustedPlaces(directories, fingerprint).map(({ place }) => scopeName(place.scope));
  if (left.length > 0) log.warn(`${formatFingerprint(fingerprint)} is still trusted for ${left.join(", ")}`);
}

function scopeName(scope: TrustScope | string): string {
  if (typeof scope !== "string") return scope.prefix;
  return scope === "root" ? "all images" : scope;
}
