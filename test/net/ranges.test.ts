import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  chooseRange,
  hostRoutes,
  isFree,
  newPrefix6,
  shardSubnets,
  shards,
  toAddress,
  toNumber,
} from "../../src/net/ranges.ts";

const route = (link: string, destination: string, mask: string) =>
  `${link}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;
const header = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

describe("ranges of the built-in networks (NET-14)", () => {
  it("the first that meets no route of the host, and no other network of ours", () => {
    assert.equal(chooseRange([], []), "10.178.0.0");
    assert.equal(chooseRange([], ["10.178.0.0"]), "10.179.0.0");
    assert.equal(chooseRange([{ base: toNumber("10.178.5.0"), bits: 24 }], []), "10.179.0.0");
    assert.equal(chooseRange([{ base: toNumber("10.0.0.0"), bits: 8 }], []), "172.28.0.0");
    assert.equal(
      chooseRange(
        [
          { base: toNumber("10.0.0.0"), bits: 8 },
          { base: toNumber("172.16.0.0"), bits: 12 },
        ],
        [],
      ),
      undefined,
    );
  });
  it("a route inside of it and one around it are in the way; others are not", () => {
    const taken = [{ base: toNumber("10.178.0.0"), bits: 15 }];
    assert.deepEqual(
      ["10.178.0.0", "10.179.0.0", "10.180.0.0"].map((base) => isFree(base, taken)),
      [false, false, true],
    );
  });
  it("routes are read as the kernel shows them, without the default one and our own", () => {
    const text =
      header +
      route("eth0", "00000000", "00000000") +
      route("eth0", "0000B20A", "0000FFFF") +
      route("pg0", "0000B30A", "0000FFFF");
    assert.deepEqual(
      hostRoutes((link) => link === "pg0", text),
      [{ base: toNumber("10.178.0.0"), bits: 16 }],
    );
    assert.deepEqual(
      hostRoutes(() => false, "nonsense"),
      [],
    );
  });
  it("NET-16: each bridge has a part of it: 2,046 addresses, and a /64", () => {
    const range = { ipv4: "10.178.0.0", ipv6: "fd00:1111:2222" };
    assert.deepEqual(shardSubnets(range, 0), { ipv4: "10.178.0.0/21", ipv6: "fd00:1111:2222:0::/64" });
    assert.deepEqual(shardSubnets(range, shards - 1), { ipv4: "10.178.248.0/21", ipv6: "fd00:1111:2222:1f::/64" });
  });
  it("prefixes are unique local ones, and not the same twice", () => {
    const [one, two] = [newPrefix6(), newPrefix6()];
    assert.match(one, /^fd[0-9a-f]{2}:[0-9a-f]{4}:[0-9a-f]{4}$/);
    assert.notEqual(one, two);
  });
  it("addresses are numbers", () => assert.equal(toAddress(toNumber("172.28.3.254")), "172.28.3.254"));
});
