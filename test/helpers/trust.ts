/** What the tests of trust share: keys and signatures of every bad kind, settings, a command's context, a private gpg. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import * as openpgp from "openpgp";
import type { Settings } from "../../src/api/settings.ts";
import { Failure, type FailureCode } from "../../src/base/failure.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import type { Command, CommandContext } from "../../src/cli/command.ts";
import { declareOptions, optionValues } from "../../src/cli/options.ts";
import { defaultImageLimits } from "../../src/image/limits.ts";
import { armor } from "../../src/trust/armor.ts";
import { openKeystore, storeTrustedKey } from "../../src/trust/keystore.ts";
import { beginVerification, type Signer } from "../../src/trust/verify.ts";
import { temporaryPrefix } from "./temporary.ts";

// Files that decide about trust must not be writable by others, so the tests do not depend on the caller's umask.
process.umask(0o022);

/** A directory for the tests of this describe block, removed afterwards. */
export function temporary(): (...path: readonly string[]) => string {
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), temporaryPrefix));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  return (...path) => join(directory, ...path);
}

/** For assert.throws and rejects: a Failure with this code whose message or cause matches. */
export function failure(code: FailureCode, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Failure) || error.code !== code) return false;
    const { cause } = error;
    const why = cause instanceof Error ? cause.message : String(cause ?? "");
    return text.test(`${error.message}\n${why}`);
  };
}

export const now = new Date("2026-06-01T12:00:00Z");
export const day = 24 * 60 * 60 * 1000;

export interface MadeKey {
  readonly key: openpgp.PrivateKey;
  readonly fingerprint: string;
  readonly armored: Buffer;
}

export function made(key: openpgp.PrivateKey, publicKey: openpgp.PublicKey = key.toPublic()): MadeKey {
  const armored = Buffer.from(armor("PUBLIC KEY BLOCK", publicKey.write()));
  return { key, fingerprint: key.getFingerprint(), armored };
}

export interface KeyOptions {
  readonly date?: Date;
  readonly expiresAfter?: number;
  readonly rsaBits?: number;
  readonly subkeys?: openpgp.SubkeyOptions[];
  readonly config?: openpgp.PartialConfig;
  readonly userIDs?: openpgp.UserID[];
}

export async function makeKey(options: KeyOptions = {}): Promise<MadeKey> {
  const { date = new Date(now.getTime() - 100 * day), expiresAfter = 0, rsaBits, subkeys = [] } = options;
  const kind =
    rsaBits === undefined ? ({ type: "ecc", curve: "ed25519Legacy" } as const) : ({ type: "rsa", rsaBits } as const);
  const { privateKey } = await openpgp.generateKey({
    ...kind,
    userIDs: options.userIDs ?? [{ name: "Test Signer", email: "signer@example.com" }],
    date,
    keyExpirationTime: expiresAfter,
    subkeys,
    format: "object",
    config: { minRSABits: 1024, ...options.config },
  });
  return made(privateKey);
}

export interface CraftOptions {
  readonly created?: Date;
  /** OpenPGP hash id; 10 is SHA-512. */
  readonly hash?: number;
  readonly type?: number;
  readonly expiresAfter?: number;
  readonly notations?: openpgp.RawNotation[];
  /** Signs with this packet instead of the primary key's. */
  readonly signWith?: openpgp.AnySecretKeyPacket;
}

/** What the library's `sign` takes at run time; its type lacks the configuration and the data of literal packets. */
interface Signing {
  sign(key: openpgp.AnySecretKeyPacket, data: object, date: Date, detached: boolean, config: object): Promise<void>;
}

/** A signature packet over `content`, with whatever is wrong with it. */
export async function craftPacket(
  { key }: MadeKey,
  content: Uint8Array,
  options: CraftOptions = {},
): Promise<openpgp.SignaturePacket> {
  const signer = options.signWith ?? key.keyPacket;
  if (!(signer instanceof openpgp.SecretKeyPacket) && !(signer instanceof openpgp.SecretSubkeyPacket))
    throw new Error("public");
  const packet = new openpgp.SignaturePacket();
  packet.signatureType = options.type ?? openpgp.enums.signature.binary;
  packet.hashAlgorithm = options.hash ?? openpgp.enums.hash.sha512;
  packet.publicKeyAlgorithm = signer.algorithm;
  if (options.expiresAfter !== undefined) packet.signatureExpirationTime = options.expiresAfter;
  packet.rawNotations = options.notations ?? [];
  const signing: Signing = { sign: (...args) => Reflect.apply(packet.sign, packet, args) };
  const created = options.created ?? new Date(now.getTime() - day);
  await signing.sign(signer, { text: null, getBytes: () => content }, created, true, {});
  return packet;
}

/** Packets in one armoured block. */
export function armoredSignature(...packets: readonly { write(): Uint8Array }[]): Buffer {
  return Buffer.from(armor("SIGNATURE", packetBytes(2, ...packets.map((packet) => packet.write()))));
}

/** Each body framed as a new-format packet of this tag. */
export function packetBytes(tag: number, ...bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const header = Buffer.from([0xc0 | tag, 0xff, 0, 0, 0, 0]);
      header.writeUInt32BE(body.length, 2);
      return [header, body];
    }),
  );
}

export async function craft(key: MadeKey, content: Uint8Array, options: CraftOptions = {}): Promise<Buffer> {
  return armoredSignature(await craftPacket(key, content, options));
}

export interface VerifyCase {
  readonly directory: string;
  readonly signature: Uint8Array;
  readonly content: Uint8Array;
  readonly name?: string;
  readonly now?: Date;
}

/** The whole verification with the keystore in `directory`. */
export async function verify(options: VerifyCase): Promise<readonly Signer[]> {
  const { directory, signature, content, name = "example.com/web" } = options;
  const keystore = openKeystore({ directories: [directory] });
  const check = await beginVerification(signature, { name, keystore, now: options.now ?? now });
  check.update(content);
  return await check.finish(name);
}

/** Trusts keys for `example.com/web`'s prefix (or another scope) in `directory`. */
export async function trust(
  directory: string,
  key: MadeKey,
  scope: { prefix: string } | "root" = { prefix: "example.com" },
) {
  return await storeTrustedKey(directory, scope, key.armored);
}

/** Settings whose every directory is below `directory`. */
export function settingsIn(directory: string, overrides: Partial<Settings> = {}): Settings {
  return {
    directories: {
      data: join(directory, "data"),
      systemConfig: join(directory, "system"),
      localConfig: join(directory, "local"),
      userConfig: join(directory, "user"),
    },
    insecure: new Set(),
    trustKeysFromHttps: false,
    debug: false,
    caFiles: [],
    connectTo: [],
    caller: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, isRoot: false },
    sourceDateEpoch: undefined,
    environment: new Map(),
    log: silentLog,
    limits: async () => defaultImageLimits,
    http: () => Promise.reject(new Error("no network in this test")),
    ...overrides,
  };
}

export interface Given {
  readonly args?: readonly string[];
  readonly options?: Readonly<Record<string, string | boolean | readonly string[]>>;
  /** What the user types, answer by answer; none: there is no terminal. */
  readonly answers?: readonly string[];
}

/** The context of one invocation of `command`, whose options must be declared, and the questions that were asked. */
export function contextOf<R>(
  command: Command<R>,
  settings: Settings,
  given: Given = {},
): CommandContext & { readonly asked: readonly string[] } {
  const answers = given.answers === undefined ? undefined : [...given.answers];
  const asked: string[] = [];
  const values = new Map(
    Object.entries(given.options ?? {}).map(([name, value]) => [name, [value].flat().map(String)]),
  );
  return {
    args: given.args ?? [],
    options: optionValues(declareOptions(command.options ?? []), values),
    settings,
    signal: new AbortController().signal,
    emit: () => {},
    write: () => Promise.resolve(),
    isTerminal: false,
    screen: () => {},
    ask: async (question) => {
      asked.push(question);
      return answers?.shift();
    },
    format: "table",
    asked,
  };
}

/** Runs `command` and gives its result with the lines it prints. */
export async function invoke<R>(command: Command<R>, settings: Settings, given: Given = {}): Promise<Invocation<R>> {
  const context = contextOf(command, settings, given);
  const result = await command.run(context);
  const json: unknown = JSON.parse(JSON.stringify(command.json === undefined ? result : command.json(result)));
  return { result, lines: command.text(result, context), json, asked: context.asked };
}

export interface Invocation<R> {
  readonly result: R;
  readonly lines: readonly string[];
  /** What --format json prints, parsed. */
  readonly json: unknown;
  readonly asked: readonly string[];
}

/** A log that keeps its warnings. */
export function warnings(): { readonly log: Log; readonly heard: readonly string[] } {
  const heard: string[] = [];
  return { log: { ...silentLog, warn: (message) => heard.push(message) }, heard };
}

/** gpg with a home of its own; its agent ends with the tests. */
export function privateGpg(home: () => string): { gpg(...args: string[]): Buffer; gpgv(...args: string[]): string } {
  const env = () => ({ PATH: process.env["PATH"], GNUPGHOME: home(), LC_ALL: "C" });
  after(() => {
    execFileSync("gpgconf", ["--kill", "all"], { env: env(), stdio: "ignore" });
  });
  const quiet = ["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--trust-model", "always"];
  return {
    gpg: (...args) => execFileSync("gpg", [...quiet, ...args], { env: env(), stdio: ["ignore", "pipe", "pipe"] }),
    gpgv: (...args) =>
      execFileSync("gpgv", ["--status-fd", "1", ...args], { env: env(), stdio: ["ignore", "pipe", "pipe"] }).toString(),
  };
}

/** A fingerprint in groups of four, made without the code under test. */
export function formatted(fingerprint = ""): string {
  return Array.from({ length: 10 }, (_, index) => fingerprint.slice(4 * index, 4 * index + 4)).join(" ");
}
