import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { networkWords } from "../../src/cli/networks.ts";

const network = (name: string, ...addresses: readonly string[]) => ({
  network: name,
  ifName: "eth0",
  addresses,
  gateways: [],
});

describe("networkWords (NET-24)", () => {
  it("says names with their first address, as rkt", () => {
    const networks = [network("default", "fd00::2/64", "10.0.0.2/24"), network("six", "fd01::2/64"), network("bare")];
    assert.equal(networkWords({ network: "x", networks }), "default:ip4=10.0.0.2,six:ip6=fd01::2,bare");
  });
  it("without addresses what was asked for", () => {
    assert.deepEqual([networkWords({ network: "host" }), networkWords({})], ["host", ""]);
  });
});
