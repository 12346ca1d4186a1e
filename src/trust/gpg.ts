/**
 * Signatures by keys that the user's gpg and its agent keep (a card, a keyring with a pinentry). gpg is called as a program; what it makes
 * is believed only after it was verified here. Knows nothing of files.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { Failure, printable } from "../base/failure.ts";
import { keyFileLimit } from "./key-file.ts";
import { formatFingerprint, readKeyFile } from "./keys.ts";

export interface GpgOptions {
  /** The user's own: HOME, GNUPGHOME, PATH, GPG_TTY and what a pinentry needs. */
  readonly environment: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal | undefined;
}

export interface GpgKey {
  /** Of the primary key, 40 lower-case hex digits. */
  readonly fingerprint: string;
  /** The public key as gpg exports it, one armoured block. */
  readonly armored: Buffer;
}

/** A signature under way: given all bytes in order, then asked for. Constant memory. */
export interface GpgSigning {
  readonly keys: readonly GpgKey[];
  update(chunk: Uint8Array): Promise<void>;
  /** A detached signature file with one signature for each key. @throws Failure PASSPHRASE_WRONG, KEY_INVALID, INTERRUPTED */
  finish(): Promise<Buffer>;
  /** Ends gpg if it still runs: after anything that went wrong elsewhere. */
  abandon(): void;
}

/**
 * The one secret key that gpg finds by `keyId`: whatever gpg takes, a fingerprint or an address.
 * @throws Failure NOT_FOUND, AMBIGUOUS, KEY_INVALID when its signatures would never count
 */
export async function findGpgKey(options: GpgOptions, keyId: string): Promise<GpgKey> {
  const listing = await outputOf(options, ["--with-colons", "--list-secret-keys", "--", keyId]);
  const fingerprints = primaryFingerprints(listing?.toString("latin1") ?? "");
  const [fingerprint, ...others] = fingerprints;
  if (fingerprint === undefined) {
    throw new Failure("NOT_FOUND", `gpg has no secret key ${printable(keyId)}`, {
      subject: keyId,
      hint: "gpg --list-secret-keys",
    });
  }
  if (others.length > 0) {
    throw new Failure("AMBIGUOUS", `gpg has several secret keys ${printable(keyId)}`, {
      subject: keyId,
      cause: fingerprints.join(", "),
      hint: `--gpg ${fingerprint}`,
    });
  }
  const minimal = ["--export-options", "export-minimal", "--armor", "--export", "--", fingerprint];
  const [key] = await readKeyFile((await outputOf(options, minimal)) ?? Buffer.alloc(0));
  if (key?.info.fingerprint !== fingerprint) {
    throw new Failure("KEY_INVALID", "gpg exported another key than it was asked for", { subject: fingerprint });
  }
  if (key.info.problem !== undefined) {
    throw new Failure("KEY_INVALID", `signatures by ${formatFingerprint(fingerprint)} would not count`, {
      subject: fingerprint,
      cause: key.info.problem,
    });
  }
  return { fingerprint, armored: key.armored };
}

/** Of every secret primary key in gpg's colon listing: `sec` records, each with its `fpr` record. */
function primaryFingerprints(listing: string): readonly string[] {
  const found: string[] = [];
  let isPrimary = false;
  for (const line of listing.split("\n")) {
    const fields = line.split(":");
    if (fields[0] === "sec" || fields[0] === "ssb") isPrimary = fields[0] === "sec";
    const fingerprint = fields[9]?.toLowerCase() ?? "";
    if (fields[0] === "fpr" && isPrimary && /^[0-9a-f]{40}$/.test(fingerprint)) found.push(fingerprint);
  }
  return found;
}

/** Starts gpg, which asks for passphrases through its agent when all bytes were given. @throws Failure NOT_FOUND */
export async function startGpg(options: GpgOptions, keys: readonly GpgKey[]): Promise<GpgSigning> {
  const users = keys.flatMap(({ fingerprint }) => ["--local-user", fingerprint]);
  const args = ["--status-fd", "2", "--digest-algo", "SHA512", ...users, "--output", "-", "--detach-sign"];
  const gpg = await start(options, args, "pipe");
  const { stdin } = gpg.child;
  if (stdin === null) throw new Failure("INTERNAL", "gpg has no standard input");
  // gpg that ends early closes its end; why it did is told by `ended`.
  stdin.on("error", () => {});
  return {
    keys,
    async update(chunk) {
      if (stdin.destroyed || stdin.write(chunk)) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stdin.off("drain", done).off("close", done);
          resolve();
        };
        stdin.once("drain", done).once("close", done);
      });
    },
    async finish() {
      stdin.end();
      const { status, stdout, stderr } = await gpg.ended;
      if (status === 0) return stdout;
      throw signingFailure(stderr);
    },
    abandon() {
      gpg.child.kill("SIGTERM");
    },
  };
}

/** Codes of libgpg-error: a wrong passphrase, a pinentry that was cancelled, timed out or is not there. */
const passphraseErrors: ReadonlySet<number> = new Set([11, 62, 85, 86, 99, 198, 177]);

function signingFailure(stderr: string): Failure {
  const lines = stderr.split("\n");
  const status = lines
    .map((line) => /^\[GNUPG:\] FAILURE sign (\d+)$/.exec(line)?.[1])
    .find((one) => one !== undefined);
  const words = lines.filter((line) => line !== "" && !/^\[GNUPG:\]/.test(line)).map(printable);
  const isPassphrase = passphraseErrors.has(Number(status ?? 0) & 0xffff);
  return new Failure(isPassphrase ? "PASSPHRASE_WRONG" : "KEY_INVALID", "gpg did not sign", {
    cause: words.slice(-3).join("; ") || undefined,
    hint: isPassphrase ? "export GPG_TTY=$(tty), and see that gpg-agent finds a pinentry" : "gpg --list-secret-keys",
  });
}

/** Standard output of a gpg that asks nothing; undefined when it failed. */
async function outputOf(options: GpgOptions, args: readonly string[]): Promise<Buffer | undefined> {
  const { status, stdout } = await (await start(options, args, "ignore")).ended;
  return status === 0 ? stdout : undefined;
}

interface Ended {
  readonly status: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

async function start(
  { environment, signal }: GpgOptions,
  args: readonly string[],
  input: "pipe" | "ignore",
): Promise<{ readonly child: ChildProcess; readonly ended: Promise<Ended> }> {
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
  const child = spawn("gpg", ["--batch", "--no-tty", "--quiet", ...args], {
    env: environmentFor(environment),
    stdio: [input, "pipe", "pipe"],
  });
  const ended = outcome(child, signal);
  ended.catch(() => {}); // it is awaited later, after the bytes
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => {
      reject(
        new Failure("NOT_FOUND", "gpg cannot be started", { cause, hint: "apt-get install gnupg, or sign with --key" }),
      );
    });
  });
  return { child, ended };
}

/** The user's environment without our passphrase, and with the terminal for a pinentry in it, which gpg cannot see through a pipe. */
function environmentFor(environment: ReadonlyMap<string, string>): Record<string, string> {
  const { PERIGEE_PASSPHRASE: _, ...others } = Object.fromEntries(environment);
  const terminal = others["GPG_TTY"] ?? terminalOfInput();
  return terminal === undefined ? others : { ...others, GPG_TTY: terminal };
}

function terminalOfInput(): string | undefined {
  try {
    const target = readlinkSync("/proc/self/fd/0");
    return /^\/dev\/(?:pts\/\d+|tty\w*)$/.test(target) ? target : undefined;
  } catch {
    return undefined; // no standard input, or no /proc: gpg-agent then asks where it can
  }
}

/** More than any key or signature that counts has is not kept. */
async function outcome(child: ChildProcess, signal: AbortSignal | undefined): Promise<Ended> {
  const parts: Buffer[] = [];
  let size = 0;
  let stderr = "";
  child.stdout?.on("data", (part: Buffer) => {
    size += part.length;
    if (size <= 2 * keyFileLimit) parts.push(part);
    else child.kill("SIGKILL");
  });
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    stderr = (stderr + part).slice(-16 * 1024);
  });
  const kill = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", kill, { once: true });
  const status = await new Promise<number | undefined>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? undefined));
  }).finally(() => signal?.removeEventListener("abort", kill));
  if (signal?.aborted === true) throw new Failure("INTERRUPTED", "interrupted");
  return { status, stdout: Buffer.concat(parts), stderr };
}
