import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseResult } from "../../src/net/result.ts";
import { fails } from "../helpers/failures.ts";

describe("parseResult (NET-4)", () => {
  it("takes addresses, routes, name servers and the pod's own link, of old and new versions", () => {
    const result = parseResult(
      JSON.stringify({
        cniVersion: "0.4.0",
        interfaces: [
          { name: "br0", mac: "00:00:00:00:00:01" },
          { name: "eth0", mac: "02:00:00:00:00:02", sandbox: "/x" },
        ],
        ips: [{ version: "4", address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 1 }, { address: "fd00::2/64" }],
        routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { gw: "10.0.0.1" }],
        dns: { nameservers: ["10.0.0.1", "not an address"], search: ["a.example", "two words"], domain: "a.example" },
      }),
      "bridge",
    );
    assert.deepEqual(result.addresses, [
      { address: "10.0.0.2/24", gateway: "10.0.0.1" },
      { address: "fd00::2/64", gateway: undefined },
    ]);
    assert.deepEqual(result.routes, [{ destination: "0.0.0.0/0", gateway: "10.0.0.1" }]);
    assert.deepEqual(result.dns, {
      nameservers: ["10.0.0.1"],
      search: ["a.example"],
      options: [],
      domain: "a.example",
    });
    assert.equal(result.mac, "02:00:00:00:00:02");
    assert.equal(result.raw["cniVersion"], "0.4.0");
  });
  it("a result without addresses is one", () => {
    assert.deepEqual(parseResult('{"cniVersion":"1.0.0"}', "tuning").addresses, []);
  });
  for (const text of [
    "",
    "nonsense",
    "[]",
    '{"ips":7}',
    '{"ips":[{"address":"x/24"}]}',
    '{"ips":[{"address":"10.0.0.1"}]}',
    '{"ips":[7]}',
  ]) {
    it(`${JSON.stringify(text)} is no result`, () => {
      assert.throws(() => parseResult(text, "odd"), fails("NETWORK_FAILED", /odd answered what is no result/));
    });
  }
});
