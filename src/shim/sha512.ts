/** SHA-512 of what `run` compares before a pod starts, without node:crypto, whose loading costs 5 ms of its 50. Knows no files. */
import { sha512 as sha512OfNode } from "../base/digest.ts";
import { opensslSha512 } from "./libc.ts";

/** As base/digest's: lower-case hex. */
export function sha512(bytes: Uint8Array | string): string {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return opensslSha512(data)?.toString("hex") ?? sha512OfNode(data);
}
