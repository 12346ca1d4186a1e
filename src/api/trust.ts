/**
 * Trusting keys: first they are found and shown (`findKeys`), then those that were accepted are stored (`trustKey`), from the same bytes (T-D10).
 * Nothing here asks or decides; nothing is ever trusted without a call to `trustKey` (T-D11).
 */
import { sha512 } from "../base/digest.ts";
import { Failure } from "../base/failure.ts";
import { discover, discoveryFailure } from "../fetch/discover.ts";
import { isAbsent, statusFailure } from "../fetch/download.ts";
import { ACIdentifier } from "../schema/names.ts";
import { keyFileLimit } from "../trust/key-file.ts";
import { formatFingerprint, type KeyInfo, readKeyFile } from "../trust/keys.ts";
import { checkPlace, copiesOf, storeTrustedKey } from "../trust/keystore.ts";
import { withRevocations } from "../trust/revocations.ts";
import { readKeyBytes } from "./keys.ts";
import { changingKeystore, keystoreDirectories, keystoreOf, ownKeystoreDirectory } from "./keystore.ts";
import type { Settings } from "./settings.ts";

/** For which images a key counts. */
export type TrustScope = { readonly prefix: string } | "root";

export interface KeyCandidate {
  readonly info: KeyInfo;
  /** The file or URL it came from. */
  readonly location: string;
  /** What `trustKey` stores: an armoured block with this key alone. */
  readonly armored: Buffer;
}

/** A prefix as typed. @throws Failure USAGE: a URL, a wildcard, or no ACIdentifier */
export function parsePrefix(text: string): ACIdentifier {
  const parsed = ACIdentifier.safeParse(text);
  if (parsed.success) return parsed.data;
  const withoutScheme = text.replace(/^[a-z+]+:\/\//i, "").replace(/\/\*?$/, "");
  const isUsable = ACIdentifier.safeParse(withoutScheme).success;
  throw new Failure("USAGE", "a prefix is the beginning of an image name, by whole components", {
    subject: text,
    cause: `got ${text}`,
    hint: isUsable ? `--prefix ${withoutScheme}` : "for example --prefix example.com/web",
  });
}

/**
 * Every public key at `locations` (files or https URLs); without any, those that the prefix announces (`ac-discovery-pubkeys`, DISC-3).
 * A file with several keys gives several candidates.
 * @throws Failure USAGE, NOT_FOUND, KEY_INVALID, DISCOVERY_FAILED, HTTP_FAILED
 */
export async function findKeys(
  settings: Settings,
  scope: TrustScope,
  locations: readonly string[],
  signal?: AbortSignal,
): Promise<readonly KeyCandidate[]> {
  const places: readonly KeyPlace[] =
    locations.length > 0 ? locations.map((location) => ({ location })) : await discoverKeys(settings, scope, signal);
  const candidates = new Map<string, KeyCandidate>();
  for (const place of places) {
    const { location } = place;
    for (const { info, armored } of await readKeyFile(await load(settings, place, signal))) {
      if (info.hasSecret) {
        throw new Failure("KEY_INVALID", `${location} holds a secret key; trust needs the public one`, {
          subject: location,
          hint: "keep it to yourself, and use what perigee key export prints",
        });
      }
      candidates.set(armored.toString(), { info, location, armored });
    }
  }
  return [...candidates.values()];
}

interface KeyPlace {
  /** A file or URL. */
  readonly location: string;
  /** A page of the Internet named it: it must not be in a private network (T-D03). */
  readonly isGuarded?: boolean;
}

async function discoverKeys(
  settings: Settings,
  scope: TrustScope,
  signal: AbortSignal | undefined,
): Promise<readonly KeyPlace[]> {
  if (scope === "root") {
    throw new Failure("USAGE", "keys for all images cannot be discovered; name a file or URL", {
      hint: "perigee trust --root KEYFILE",
    });
  }
  const options = { insecureHttp: settings.insecure.has("pubkey"), wanted: "keys", signal } as const;
  const discovery = await discover(await settings.http(), scope.prefix, [], options);
  const isGuarded = discovery.guarded.keys;
  if (discovery.keys.length > 0) return discovery.keys.map((location) => ({ location, isGuarded }));
  if (discovery.attempts.some(({ failure }) => failure !== undefined)) throw discoveryFailure(scope.prefix, discovery);
  throw new Failure("DISCOVERY_FAILED", `no keys are announced for ${scope.prefix}`, {
    subject: scope.prefix,
    cause: discovery.attempts.map(({ url, outcome }) => `${url}: ${outcome}`).join("; "),
    hint: `perigee trust --prefix ${scope.prefix} KEYFILE`,
  });
}

async function load(
  settings: Settings,
  { location, isGuarded }: KeyPlace,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return await readKeyBytes(location);
  }
  if (scheme !== "https" && !(scheme === "http" && settings.insecure.has("pubkey"))) {
    throw new Failure("USAGE", `keys are fetched over https, not ${scheme}`, {
      subject: location,
      hint: scheme === "http" ? "--insecure-options=http,pubkey allows it; compare the fingerprint then" : undefined,
    });
  }
  const response = await (await settings.http()).get(location, { isGuarded, signal });
  if (response.status === 200) return await response.bytes(keyFileLimit);
  response.discard();
  if (!isAbsent(response.status)) throw statusFailure(response);
  throw new Failure("NOT_FOUND", `${location} answered ${response.status}`, { subject: location });
}

/** Whether exactly these bytes are trusted for this scope already, so that there is nothing left to review. */
export async function isTrusted(
  settings: Settings,
  scope: TrustScope,
  { info, armored }: KeyCandidate,
): Promise<boolean> {
  const place = scope === "root" ? "root" : scope.prefix;
  const digest = sha512(armored);
  const keys = await keystoreOf(settings).keysFor(scope === "root" ? undefined : scope.prefix);
  return keys.some((key) => key.scope === place && key.fingerprint === info.fingerprint && key.digest === digest);
}

/** @throws Failure KEY_INVALID when the key's signatures would never count: revoked, expired, too weak */
export function requireUsable({ info, location }: KeyCandidate): void {
  if (info.problem === undefined) return;
  throw new Failure("KEY_INVALID", `the key ${formatFingerprint(info.fingerprint)} would not count: ${info.problem}`, {
    subject: location,
  });
}

export interface TrustedResult {
  readonly fingerprint: string;
  readonly identities: readonly string[];
  /** "root" or the prefix. */
  readonly scope: string;
  /** Where the key is stored now. */
  readonly path: string;
  readonly location: string;
  /** Its owner revoked it: it does not count any more. */
  readonly isRevoked?: true;
}

/**
 * Stores an accepted key: in the machine's configuration for root, else in the user's. The bytes are those that were shown, but for revocations
 * of subkeys that a stored copy holds and they lack: those are kept, since they only take trust away (TRUST-26).
 * @throws Failure KEY_INVALID when its signatures would never count: revoked, also by a copy that is stored, expired, too weak
 */
export async function trustKey(
  settings: Settings,
  scope: TrustScope,
  candidate: KeyCandidate,
  signal?: AbortSignal,
): Promise<TrustedResult> {
  const { info, location } = candidate;
  requireUsable(candidate);
  const { userConfig } = settings.directories;
  const directory = ownKeystoreDirectory(settings);
  // What is refused makes nothing, not even the file to lock (TRUST-32); asked again when nobody else changes keys.
  checkPlace(directory, scope);
  await withKnownRevocations(settings, candidate);
  const key = await changingKeystore(settings, signal, async () => {
    const armored = await withKnownRevocations(settings, candidate);
    if (armored !== candidate.armored) warnOfOlderCopy(settings, candidate);
    return await storeTrustedKey(directory, scope, armored);
  });
  if (scope !== "root" && (await keystoreOf(settings).vouches(scope.prefix, key.fingerprint, key.digest)) === "no") {
    settings.log.warn(`${key.path} has no effect: a file of the same name in ${userConfig} masks it`);
  }
  return { fingerprint: key.fingerprint, identities: info.identities, scope: key.scope, path: key.path, location };
}

/** @throws Failure KEY_INVALID when a stored copy says that the key is revoked */
async function withKnownRevocations(settings: Settings, { info, armored }: KeyCandidate): Promise<Buffer> {
  const { fingerprint } = info;
  const copies = copiesOf(keystoreDirectories(settings), fingerprint);
  const bytes = copies.map((copy) => copy.armored);
  const merged = await withRevocations(armored, bytes);
  if (merged === armored) return armored;
  const [known] = await readKeyFile(merged);
  if (known?.info.state !== "revoked") return merged;
  throw new Failure(
    "KEY_INVALID",
    `the key ${formatFingerprint(fingerprint)} is revoked; this is an older copy of it`,
    {
      subject: fingerprint,
      cause: `its owner revoked it, as a copy shows that is stored: ${copies.map(({ path }) => path).join(", ")}`,
      hint: "ask the owner for the key that is used now",
    },
  );
}

function warnOfOlderCopy({ log }: Settings, { info }: KeyCandidate): void {
  const key = formatFingerprint(info.fingerprint);
  log.warn(`${key}: this copy is older than the one that is stored, whose revocation of a subkey is kept`);
}

/**
 * Brings in that the owner of a trusted key has revoked it, which the key's own signature proves: the copy replaces every one that counts, for
 * whichever names, and the key counts for none any more (TRUST-25). Empty for a key that is not revoked or not trusted.
 */
export async function storeRevocation(
  settings: Settings,
  candidate: KeyCandidate,
  signal?: AbortSignal,
): Promise<readonly TrustedResult[]> {
  if (candidate.info.state !== "revoked" || !(await isCounting(settings, candidate))) return [];
  return await changingKeystore(settings, signal, () => replaceCopies(settings, candidate));
}

/** Whether it is trusted for anything: nothing is made where there is nothing to take away. */
async function isCounting(settings: Settings, { info }: KeyCandidate): Promise<boolean> {
  return (await keystoreOf(settings).keysFor(undefined)).some((key) => key.fingerprint === info.fingerprint);
}

async function replaceCopies(settings: Settings, candidate: KeyCandidate): Promise<readonly TrustedResult[]> {
  const { info, location, armored } = candidate;
  const { userConfig } = settings.directories;
  const copies = (await keystoreOf(settings).keysFor(undefined)).filter((key) => key.fingerprint === info.fingerprint);
  const stored: TrustedResult[] = [];
  for (const { scope: name } of copies) {
    const scope: TrustScope = name === "root" ? "root" : { prefix: name };
    let { path } = await storeTrustedKey(ownKeystoreDirectory(settings), scope, armored);
    // The caller's own directory goes before the machine's.
    if (!(await isTrusted(settings, scope, candidate))) ({ path } = await storeTrustedKey(userConfig, scope, armored));
    const { fingerprint, identities } = info;
    stored.push({ fingerprint, identities, scope: name, path, location, isRevoked: true });
  }
  return stored;
}
