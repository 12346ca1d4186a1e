/** Command lines for people to copy. Pure. What images are called is a stranger's: no word of it means anything to a shell. */
import type { ImageKey } from "./layout.ts";

/** A word that every shell reads as this text. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * How to call the image on a command line: by name and version, and by its URL when the version is none that a reference can hold, or
 * could be taken for something else.
 */
export function referenceTo({ name, version }: Pick<ImageKey, "name" | "version">, url: string): string {
  if (version === undefined) return name;
  return /^[A-Za-z0-9][A-Za-z0-9._+~-]*$/.test(version) ? `${name}:${version}` : shellSafeUrl(url);
}

/** encodeURIComponent leaves a few that a shell would take for its own. */
function shellSafeUrl(url: string): string {
  return url.replace(/[!'()*~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

export interface CommandsOptions {
  readonly name: string;
  /** As referenceTo gives it. */
  readonly reference: string;
  /** Fingerprints. */
  readonly signers: readonly string[];
  /** Whether there is something to run. */
  readonly isApp: boolean;
}

export interface CommandLine {
  readonly why: string;
  readonly line: string;
}

/** From trusting the signers to running, in order. */
export function commandsFor({ name, reference, signers, isApp }: CommandsOptions): readonly CommandLine[] {
  const word = shellWord(reference);
  const trust = signers.map((signer, index) => ({
    why:
      index === 0 ? "Once: trust the key that signs it. Compare the fingerprint with what its owner tells you." : "Or:",
    line: `perigee trust --prefix ${shellWord(name)} --fingerprint ${signer}`,
  }));
  const run = { why: "Run it.", line: `perigee run ${word}` };
  return [...trust, { why: "Fetch and verify it.", line: `perigee fetch ${word}` }, ...(isApp ? [run] : [])];
}
