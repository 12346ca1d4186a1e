/** What a pod or an app may send and receive: the isolator of network bandwidth → a limit, and a report. Pure. */
import { Failure, printable } from "../base/failure.ts";
import { parseQuantity } from "../schema/grammar.ts";
import type { CgroupFeatures } from "./cgroup-layout.ts";
import { type Level, lastValue, say } from "./isolator-level.ts";
import type { PodNetwork } from "./network.ts";

export interface TrafficOptions {
  readonly features: Pick<CgroupFeatures, "network">;
  readonly network: PodNetwork;
}

const isolator = "resource/network-bandwidth";

/** Bytes a second: with less nobody gets a connection, and with 0 the kernel's program would let everything through. */
const least = 1024n;
/** What the shim's plan takes. */
const most = 2n ** 63n - 1n;

/**
 * Bytes a second, sent and received each, over everything but loopback (ACE-43, ISO-40); undefined when nothing is to be limited. `bound`
 * is the pod's (ACE-21). What cannot be limited is ignored, and said to be.
 * @throws Failure MANIFEST_INVALID for a limit with which nothing would get through
 */
export function decideTraffic(level: Level, bound: bigint | undefined, options: TrafficOptions): bigint | undefined {
  const written = lastValue(level, isolator)?.limit;
  if (written === undefined) return undefined;
  const asked = parseQuantity(written) ?? 0n;
  if (asked < least) throw tooLittle(asked, level.app ?? "the pod");
  if (options.network === "none") {
    say(level, isolator, "enforced", "there is nothing but loopback, for which it is not");
    return undefined;
  }
  const { network } = options.features;
  if (network !== true) {
    say(level, isolator, "ignored", `packets are looked at in cgroups of version 2, and ${network}`);
    return undefined;
  }
  const own = asked > most ? most : asked;
  const isBound = bound !== undefined && own > bound;
  const limit = isBound ? bound : own;
  const said = `${limit} bytes a second${isBound ? ", which is the pod's" : ""}, sending and receiving each`;
  say(level, isolator, isBound ? "modified" : "enforced", said);
  return limit;
}

function tooLittle(asked: bigint, owner: string): Failure {
  return new Failure("MANIFEST_INVALID", `${isolator} of ${printable(owner)}: a limit of ${asked} is too little`, {
    subject: isolator,
    cause: "nothing would get through",
    hint: `a limit of ${least} or more`,
  });
}
