/** What a kernel can take of a quantity, which a manifest may write as large or small as it likes. Pure. */
import { Failure, printable } from "../base/failure.ts";

/** Bytes of memory with which init and a small static program start; with half of it they still do on x86-64, with pages of 4 KiB. */
export const leastMemory = 1024n * 1024n;

/** Whole pages below 2^63: a v1 hierarchy reads larger numbers without their upper bits, and 2^64 + 1 would be one byte. */
const mostMemory = 2n ** 63n - 65536n;

/** A bandwidth is a 44-bit number of microseconds in each period of 100 ms. */
const mostMillicores = Math.floor((2 ** 44 - 1) / 100);

/** The limit to set for `bytes` (POD-30). @throws Failure MANIFEST_INVALID for one that nothing starts with */
export function boundMemory(bytes: bigint, owner: string): bigint {
  if (bytes >= leastMemory) return bytes > mostMemory ? mostMemory : bytes;
  throw new Failure(
    "MANIFEST_INVALID",
    `resource/memory of ${printable(owner)}: a limit of ${bytes} bytes is too little`,
    {
      subject: "resource/memory",
      cause: `nothing starts with less than ${leastMemory} bytes`,
      hint: "a limit of 1Mi or more",
    },
  );
}

/** The limit to set for thousandths of a core (POD-30). */
export function boundMillicores(millicores: bigint): number {
  return millicores > BigInt(mostMillicores) ? mostMillicores : Number(millicores);
}
