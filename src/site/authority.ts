/**
 * The certificate authority of this user's local servers: one key in one file, made on first use. Others trust it by passing the
 * certificate's file with --ca-file; it is never put into a system's list.
 */
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { constants } from "node:fs";
import { link, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectories } from "../base/directories.ts";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure, readIfExists, tempBeside, writeAtomic } from "../base/files.ts";
import { generateKey, type KeyPair, selfSigned, serverCertificate } from "./certificate.ts";

export interface Authority {
  /** PEM of its certificate, for --ca-file. */
  readonly caFile: string;
  /** A new key and certificate for a server that answers to `hosts`, valid from `now` for `serverDays`. */
  issue(hosts: readonly string[], now: Date): ServerIdentity;
}

export interface ServerIdentity {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
  readonly expiresAt: Date;
}

const day = 24 * 60 * 60 * 1000;
const authorityDays = 3650;
const serverDays = 30;
/** Clocks of two machines differ. */
const backdate = day;

/**
 * The authority in `directory`; made when there is none, by one of several processes that ask at the same time.
 * @throws Failure CONFIG_INVALID when the file is damaged, expired or readable for others
 */
export async function openAuthority(directory: string, now: Date): Promise<Authority> {
  const path = join(directory, "authority.pem");
  const text = (await readSecret(path)) ?? (await makeAuthority(directory, path, now));
  const { key, certificate } = parse(path, text, now);
  const caFile = join(directory, "ca.pem");
  const pem = certificate.toString();
  if ((await readIfExists(caFile))?.toString() !== pem) await writeAtomic(caFile, pem, 0o644);
  const name = certificate.subject.replace(/^CN=/, "");
  return {
    caFile,
    issue: (hosts, from) => {
      const server = generateKey();
      const expiresAt = new Date(Math.min(from.getTime() + serverDays * day, Date.parse(certificate.validTo)));
      return {
        key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        certificate: serverCertificate(hosts, server.publicKey, { name, key }, validity(from, expiresAt)),
        expiresAt,
      };
    },
  };
}

function validity(now: Date, to: Date) {
  return { from: new Date(now.getTime() - backdate), to };
}

async function readSecret(path: string): Promise<string | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioFailure(error, `cannot read ${path}`, path);
  });
  if (handle === undefined) return undefined;
  try {
    const stat = await handle.stat();
    if ((stat.mode & 0o077) !== 0) {
      throw new Failure("CONFIG_INVALID", `${path} is a secret key that others may use`, {
        subject: path,
        hint: `chmod 600 ${path}`,
      });
    }
    return stat.isFile() ? await handle.readFile("utf8") : "";
  } finally {
    await handle.close();
  }
}

async function makeAuthority(directory: string, path: string, now: Date): Promise<string> {
  const key = generateKey();
  // A name of its own, so that a client that trusts several never takes one for the other.
  const name = `perigee local authority ${randomBytes(4).toString("hex")}`;
  const certificate = selfSigned(name, key, validity(now, new Date(now.getTime() + authorityDays * day)));
  const text = `${certificate}${key.privateKey.export({ type: "pkcs8", format: "pem" })}`;
  try {
    makeDirectories(directory, 0o755);
    const temporary = await tempBeside(path, 0o600);
    try {
      await temporary.handle.writeFile(text);
      await temporary.handle.sync();
      // Unlike rename, link never replaces: of two processes the first one's key is it.
      await link(temporary.path, path);
      return text;
    } finally {
      await temporary.handle.close();
      await unlink(temporary.path);
    }
  } catch (error) {
    const theirs = errnoOf(error) === "EEXIST" ? await readSecret(path) : undefined;
    if (theirs !== undefined) return theirs;
    throw ioFailure(error, `cannot make ${path}`, path);
  }
}

function parse(path: string, text: string, now: Date): { key: KeyPair; certificate: X509Certificate } {
  const refuse = (problem: string, cause?: unknown): Failure =>
    new Failure("CONFIG_INVALID", `${path}: ${problem}`, {
      subject: path,
      cause,
      hint: `rm ${path}; a new authority is made then, and its ca.pem must be passed on again`,
    });
  try {
    const certificate = new X509Certificate(text);
    const privateKey = createPrivateKey(text);
    if (!certificate.checkPrivateKey(privateKey)) throw refuse("key and certificate do not belong together");
    if (Date.parse(certificate.validTo) <= now.getTime()) throw refuse("the authority has expired");
    return { key: { privateKey, publicKey: createPublicKey(privateKey) }, certificate };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw refuse("this is no certificate with its key", error);
  }
}
