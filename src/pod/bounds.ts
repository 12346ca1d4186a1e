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

/**
 * A process that waits for a throttled device does not end when it is killed: with less than this a pod of somebody else's image could not
 * be stopped for hours. Reading ahead asks for 128 KiB at once.
 */
export const leastBlock = { bytes: 65536n, operations: 10n } as const;

/** Operations are 32 bits, which a v1 hierarchy cuts off without a word. */
const mostBlock = { bytes: 2n ** 63n - 1n, operations: 2n ** 32n - 1n } as const;

/** The limit to set for bytes or operations a second of a block device (ISO-11). @throws Failure MANIFEST_INVALID for one that is too low */
export function boundBlock(limit: bigint, kind: "bytes" | "operations", owner: string): bigint {
  const name = kind === "bytes" ? "resource/block-bandwidth" : "resource/block-iops";
  if (limit >= leastBlock[kind]) return limit > mostBlock[kind] ? mostBlock[kind] : limit;
  throw new Failure("MANIFEST_INVALID", `${name} of ${printable(owner)}: a limit of ${limit} is too little`, {
    subject: name,
    cause: "what waits for such a device could not be ended for hours",
    hint: `a limit of ${leastBlock[kind]} or more`,
  });
}
