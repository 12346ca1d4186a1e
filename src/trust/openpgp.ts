/** The one door to the OpenPGP library: loaded when first needed, always with our configuration. */
import type * as library from "openpgp";
import { errnoOf, Failure } from "../base/failure.ts";
import { ioFailure } from "../base/files.ts";

export type OpenPGP = typeof library;

/** @throws Failure IO_FAILED when it cannot be loaded */
export async function loadOpenpgp(): Promise<OpenPGP> {
  try {
    return await import("openpgp");
  } catch (error) {
    throw notLoaded(error);
  }
}

/**
 * Node looks for a package with calls whose failures it takes for "not there": a process that may open no more files is told that the library
 * is missing (T-K04).
 */
export function notLoaded(error: unknown): Failure {
  const isHidden = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(errnoOf(error) ?? "");
  if (!isHidden) return ioFailure(error, "the OpenPGP library cannot be loaded", "openpgp");
  return new Failure("IO_FAILED", "the OpenPGP library cannot be loaded", {
    subject: "openpgp",
    cause: "it is missing, or its disk cannot be read (EIO), or this process may open no more files (EMFILE)",
    hint: "ulimit -n 1024, and run it again; if it stays so, install perigee anew",
  });
}

/** For judging keys: SHA-1 certifies nothing, not even a key's own identities (T-S06). Which key algorithms count is policy.ts's. */
export function strictConfig({ config, enums }: OpenPGP): library.Config {
  const refused = new Set([enums.hash.md5, enums.hash.ripemd, enums.hash.sha1]);
  return {
    ...config,
    minRSABits: 0,
    rejectPublicKeyAlgorithms: new Set(),
    rejectCurves: new Set(),
    rejectHashAlgorithms: refused,
    rejectMessageHashAlgorithms: refused,
  };
}

/** For believing revocations: an owner's warning counts however weak its digest is. */
export function lenientConfig({ config }: OpenPGP): library.Config {
  return { ...config, rejectHashAlgorithms: new Set(), rejectMessageHashAlgorithms: new Set() };
}

/**
 * For making keys and signatures that gpg 2.2 reads: version 4, SHA-512, protected with iterated and salted S2K and AES-256 in CFB mode
 * (gpg 2.2 knows neither AEAD-protected keys nor Argon2), the same bytes for the same input.
 */
export function makerConfig({ config, enums }: OpenPGP): library.Config {
  return {
    ...config,
    v6Keys: false,
    aeadProtect: false,
    s2kType: enums.s2k.iterated,
    preferredSymmetricAlgorithm: enums.symmetric.aes256,
    preferredHashAlgorithm: enums.hash.sha512,
    nonDeterministicSignaturesViaNotation: false,
  };
}
