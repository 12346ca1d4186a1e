/** Key files without the OpenPGP library: bounds, the keys in them, their fingerprints. All that listing trusted keys needs. */
import { Failure } from "../base/failure.ts";
import { readBlocks } from "./armor.ts";
import { fingerprintOf, packetTag, readPackets, splitKeys } from "./packets.ts";

/** Bytes of a key file and packets in it (T-S24): a key that many people certified has a few hundred kilobytes. */
export const keyFileLimit = 1024 * 1024;
const packetLimit = 4096;

/** The packets of each key of an armoured or binary file. @throws Failure KEY_INVALID */
export function keyBinaries(bytes: Uint8Array): readonly Buffer[] {
  return orInvalid("this is no OpenPGP key file", () => {
    if (bytes.length > keyFileLimit) throw new Error(`it has more than ${keyFileLimit} bytes`);
    return readBlocks(bytes).flatMap(({ type, binary }) => {
      if (type === "SIGNATURE") throw new Error("it is a signature");
      return splitKeys(readPackets(binary, packetLimit)).map((key) => Buffer.concat(key.map((packet) => packet.bytes)));
    });
  });
}

/**
 * Fingerprints in a trusted key file, the primary key's first. Such a file is armoured and holds one public key and nothing else (TRUST-4):
 * a second key in it would be trusted by nobody's decision.
 * @throws Failure KEY_INVALID
 */
export function publicFingerprints(armored: Uint8Array): readonly [primary: string, ...subkeys: string[]] {
  return orInvalid("this is no armoured OpenPGP public key", () => {
    if (armored.length > keyFileLimit) throw new Error(`it has more than ${keyFileLimit} bytes`);
    const [block, ...others] = readBlocks(armored);
    if (block?.type !== "PUBLIC KEY BLOCK") throw new Error("it is not an armoured public key block");
    const [key, ...keys] = splitKeys(readPackets(block.binary, packetLimit));
    const [primary, ...parts] = key ?? [];
    if (others.length > 0 || keys.length > 0) throw new Error("it holds several keys");
    if (primary?.tag !== packetTag.publicKey) throw new Error("it holds a secret key");
    const subkeys = parts.filter(({ tag, body }) => tag === packetTag.publicSubkey && body[0] === 4);
    return [fingerprintOf(primary), ...subkeys.map(fingerprintOf)];
  });
}

function orInvalid<T>(sentence: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Failure("KEY_INVALID", sentence, { cause });
  }
}
