/**
 * The HMAC keys of pods. Each is made from one secret of the data directory, so that what a pod signed can be checked after a restart of
 * the service and after the pod's end (META-4). No key ever leaves this process (ACE-65).
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Failure } from "../base/failure.ts";
import { writeAtomic } from "../base/files.ts";
import { readStateFile } from "../base/state-file.ts";

/** Bytes: as many as SHA-512 takes without hashing them first by half, and more than anybody guesses. */
const secretSize = 64;

export interface PodKeys {
  /** Standard base64 of the HMAC-SHA512 of `content` by the pod's key (ACE-63). */
  sign(uuid: string, content: Uint8Array): string;
  /** Whether `signature` is what sign said of `content` for that pod (ACE-64). */
  verify(uuid: string, content: Uint8Array, signature: string): boolean;
}

/** Makes the secret at `path` where there is none; the caller is the only one who does. @throws Failure WRONG_STATE for a damaged one, IO_FAILED */
export async function openKeys(path: string): Promise<PodKeys> {
  const secret = await openSecret(path);
  const sign: PodKeys["sign"] = (uuid, content) => {
    const key = createHmac("sha512", secret).update(`pod\0${uuid}`).digest();
    return createHmac("sha512", key).update(content).digest("base64");
  };
  return {
    sign,
    verify: (uuid, content, signature) => {
      // As text: what is read as base64 has many spellings, some of them with a tail.
      const [claimed, right] = [Buffer.from(signature), Buffer.from(sign(uuid, content))];
      return claimed.length === right.length && timingSafeEqual(claimed, right);
    },
  };
}

async function openSecret(path: string): Promise<Buffer> {
  const file = readStateFile(path);
  if ("problem" in file && file.problem === "missing") {
    const secret = randomBytes(secretSize);
    await writeAtomic(path, secret, 0o600);
    return secret;
  }
  if (!("problem" in file) && file.bytes.length === secretSize) return file.bytes;
  throw new Failure("WRONG_STATE", "the secret of the metadata service is damaged", {
    subject: path,
    cause: `${path} is ${"problem" in file ? file.problem : `not ${secretSize} bytes`}`,
    hint: `rm ${path} makes a new one; what pods signed before cannot be checked then`,
  });
}
