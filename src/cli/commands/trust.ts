/** `perigee trust`: finds keys, shows each, stores those that were accepted. */
import { formatFingerprint } from "../../api/keys.ts";
import type { Settings } from "../../api/settings.ts";
import {
  findKeys,
  isTrusted,
  type KeyCandidate,
  parsePrefix,
  requireUsable,
  storeRevocation,
  type TrustedResult,
  type TrustScope,
  trustKey,
} from "../../api/trust.ts";
import { Failure, printable } from "../../base/failure.ts";
import { type CommandContext, defineCommand, type OptionValues } from "../command.ts";

export default defineCommand({
  name: "trust",
  arguments: "[key...]",
  summary: "Trust a signing key for image names",
  description:
    "Stores public keys whose signatures count for the images below a prefix, or for all. A key is a file or an https URL; without any, the keys that the prefix announces are used. Each key is shown and must be accepted. A revoked copy of a key that is trusted takes the place of the key, which then counts no more.",
  options: [
    ["--prefix <prefix>", "for images with this name or below it, by whole components"],
    ["--root", "for all images"],
    ["--fingerprint <fingerprint>*", "accept exactly the key with this fingerprint (40 hex digits), without asking"],
    ["--skip-fingerprint-review", "accept every key found, without asking"],
  ],
  examples: [
    "perigee trust --prefix example.com/web",
    "perigee trust --prefix example.com --fingerprint '3C1A 0DFD 962D 7700 896E 7BFE 45DB C546 EAB1 1567' https://example.com/key.asc",
    "perigee trust --root release-key.asc",
  ],
  notes: ["4: no key was accepted"],
  run: async (context) => {
    const { args, options, settings, signal } = context;
    const scope = scopeOf(options);
    const expected = options.list("fingerprint").map(parseFingerprint);
    const candidates = await findKeys(settings, scope, args, signal);
    const stored = await revocationsAmong(settings, candidates, expected, signal);
    const revoked = new Set(stored.map(({ fingerprint }) => fingerprint));
    // An older copy of such a key, beside the one that says it is revoked, must not take its place.
    const others = candidates.filter(({ info }) => !revoked.has(info.fingerprint));
    const accepted: KeyCandidate[] = [];
    for (const candidate of usable(settings, others)) {
      if (await isAccepted(context, scope, candidate, expected)) accepted.push(candidate);
    }
    if (accepted.length === 0 && stored.length === 0) {
      throw new Failure("KEY_UNTRUSTED", expected.length > 0 ? "no key has that fingerprint" : "no key was accepted", {
        subject: expected[0],
        hint: "ask the owner for the fingerprint, by another way than the one the key came",
      });
    }
    for (const candidate of accepted) stored.push(await trustKey(settings, scope, candidate, signal));
    return stored;
  },
  text: (stored) =>
    stored.flatMap((key) => [
      key.isRevoked === true
        ? `${formatFingerprint(key.fingerprint)} is revoked now and does not count any more for ${namesOf(key.scope)}`
        : `trusted for ${namesOf(key.scope)}: ${formatFingerprint(key.fingerprint)}`,
      `  ${key.path}`,
    ]),
});

function namesOf(scope: string): string {
  return scope === "root" ? "all images" : scope;
}

/** Needs nobody's yes: only the owner of a key can make them, and they take trust away. */
async function revocationsAmong(
  settings: Settings,
  candidates: readonly KeyCandidate[],
  expected: readonly string[],
  signal: AbortSignal,
): Promise<TrustedResult[]> {
  const stored: TrustedResult[] = [];
  for (const candidate of candidates) {
    if (expected.length === 0 || expected.includes(candidate.info.fingerprint))
      stored.push(...(await storeRevocation(settings, candidate, signal)));
  }
  return stored;
}

function scopeOf(options: OptionValues): TrustScope {
  const prefix = options.text("prefix");
  if (options.flag("root") === (prefix !== undefined)) {
    throw new Failure("USAGE", "say for which images: either --prefix or --root", {
      hint: "perigee trust --prefix example.com/web",
    });
  }
  return prefix === undefined ? "root" : { prefix: parsePrefix(prefix) };
}

/** Only a whole fingerprint identifies a key: keys with the same short id are made in minutes (T-S26). */
function parseFingerprint(text: string): string {
  const digits = text.replace(/[\s:]|^0x/gi, "").toLowerCase();
  if (/^[0-9a-f]{40}$/.test(digits)) return digits;
  throw new Failure("USAGE", "--fingerprint is all 40 hex digits of the fingerprint", { subject: text });
}

/** Leaves out, with a word, keys whose signatures would not count. @throws Failure KEY_INVALID when no other is left */
function usable({ log }: Settings, candidates: readonly KeyCandidate[]): readonly KeyCandidate[] {
  const found = candidates.filter(({ info }) => info.problem === undefined);
  const [unusable] = candidates.filter(({ info }) => info.problem !== undefined);
  if (found.length === 0 && unusable !== undefined) requireUsable(unusable);
  for (const { info } of candidates) {
    if (info.problem !== undefined)
      log.warn(`left out ${formatFingerprint(info.fingerprint)}: ${printable(info.problem)}`);
  }
  return found;
}

async function isAccepted(
  { options, settings, ask }: CommandContext,
  scope: TrustScope,
  candidate: KeyCandidate,
  expected: readonly string[],
): Promise<boolean> {
  const { fingerprint } = candidate.info;
  if (expected.length > 0) {
    const isExpected = expected.includes(fingerprint);
    if (!isExpected) settings.log.warn(`not the key asked for: ${formatFingerprint(fingerprint)}`);
    return isExpected;
  }
  if (options.flag("skip-fingerprint-review")) return true;
  if (await isTrusted(settings, scope, candidate)) {
    settings.log.info(`trusted already: ${formatFingerprint(fingerprint)}`);
    return true;
  }
  const answer = await ask(`${review(scope, candidate).join("\n")}\nDo you trust this key? [y/N] `);
  if (answer !== undefined) return ["y", "yes"].includes(answer.trim().toLowerCase());
  throw new Failure("KEY_UNTRUSTED", "a key must be reviewed, and there is no terminal to show it on", {
    subject: fingerprint,
    cause: `found ${formatFingerprint(fingerprint)} at ${candidate.location}`,
    hint: `--fingerprint with the fingerprint that you know to be right`,
  });
}

function review(scope: TrustScope, { info, location }: KeyCandidate): readonly string[] {
  return [
    `prefix:      ${scope === "root" ? "all images" : scope.prefix}`,
    `location:    ${printable(location)}`,
    `fingerprint: ${formatFingerprint(info.fingerprint)}`,
    `key:         ${info.algorithm}, made ${info.createdAt.toISOString().slice(0, 10)}`,
    ...info.identities.map((identity) => `identity:    ${printable(identity)}`),
  ];
}
