import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IsolatorReport } from "../../src/pod/isolator-level.ts";
import { decideTraffic, type TrafficOptions } from "../../src/pod/traffic.ts";
import { fails } from "../helpers/failures.ts";

function decide(limit: string | undefined, bound?: bigint, changed: Partial<TrafficOptions> = {}) {
  const report: IsolatorReport[] = [];
  const value = { default: true, limit };
  const isolators = limit === undefined ? [] : [{ name: "resource/network-bandwidth", value }];
  const options = { features: { network: true }, network: "host", ...changed } as const;
  const bytes = decideTraffic({ app: "web", isolators, fromImage: new Set(), report }, bound, options);
  return { bytes, said: report.map(({ state, why }) => `${state}: ${why}`).join() };
}

describe("decideTraffic (ACE-43)", () => {
  it("ISO-40: is a number of bytes a second, and nothing where nothing is said", () => {
    assert.equal(decide("1M").bytes, 1_000_000n);
    assert.match(decide("1M").said, /^enforced: 1000000 bytes a second, sending and receiving each$/);
    assert.deepEqual(decide(undefined), { bytes: undefined, said: "" });
  });

  it("ACE-21: the pod's bounds the app's, and what is no limit at all", () => {
    assert.deepEqual(decide("1M", 5000n).bytes, 5000n);
    assert.match(decide("1M", 5000n).said, /^modified: 5000 .*the pod's/);
    assert.match(decide("4k", 5000n).said, /^enforced: 4000/);
    assert.equal(decide("8E").bytes, 8n * 10n ** 18n);
  });

  it("ISO-41: a pod with nothing but loopback is within every limit", () => {
    const { bytes, said } = decide("1M", undefined, { network: "none" });
    assert.equal(bytes, undefined);
    assert.match(said, /^enforced: there is nothing but loopback/);
  });

  it("ISO-12: where no cgroup of version 2 is to be had it is ignored, and that is said", () => {
    const { bytes, said } = decide("1M", undefined, { features: { network: "there is none" } });
    assert.equal(bytes, undefined);
    assert.match(said, /^ignored: .*version 2, and there is none/);
  });

  it("ISO-42: what lets nothing through is refused, in every network", () => {
    for (const network of ["none", "host"] as const)
      for (const limit of ["0", "1", "1023"])
        assert.throws(() => decide(limit, undefined, { network }), fails("MANIFEST_INVALID", /too little/));
    assert.equal(decide("1024").bytes, 1024n);
  });
});
