/** SHA-512 by the OpenSSL inside of Node: without node:crypto, whose loading costs `run` 5 ms of its 50, or beside the main thread. Knows no files. */
import { createHash } from "node:crypto";
import { sha512 as sha512OfNode } from "../base/digest.ts";
import { Failure } from "../base/failure.ts";
import { opensslRunningSha512, opensslSha512, type RunningSha512 } from "./libc.ts";

/** As base/digest's: lower-case hex. */
export function sha512(bytes: Uint8Array | string): string {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return opensslSha512(data)?.toString("hex") ?? sha512OfNode(data);
}

export interface Hashing {
  /** The chunks, each a moment before it is hashed. They stay as they are until the next but one is asked for. */
  readonly chunks: AsyncGenerator<Uint8Array>;
  /** Lower-case hex, once `chunks` has ended. */
  digest(): string;
}

/** Hashes everything that passes, in the thread pool, while the main thread does something with it. */
export function hashingBeside(source: AsyncIterable<Uint8Array>): Hashing {
  let digest: Buffer | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const hash = opensslRunningSha512() ?? runningSha512OfNode();
    let hashing = Promise.resolve();
    try {
      for await (const chunk of source) {
        await hashing;
        hashing = hash.update(chunk);
        hashing.catch(() => {}); // met before the next chunk, or in the end
        yield chunk;
      }
      await hashing;
      digest = hash.finish();
    } finally {
      await hashing.catch(() => {});
      hash.free();
    }
  }
  return {
    chunks: chunks(),
    digest: () => {
      if (digest === undefined) throw new Failure("INTERNAL", "a digest was asked for before all bytes had passed");
      return digest.toString("hex");
    },
  };
}

function runningSha512OfNode(): RunningSha512 {
  const hash = createHash("sha512");
  return { update: async (bytes) => void hash.update(bytes), finish: () => hash.digest(), free: () => {} };
}
