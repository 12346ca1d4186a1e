import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  hostsText,
  type NameFlags,
  parseAlias,
  parseNameFlags,
  resolvConf,
  resolvText,
} from "../../src/net/name-files.ts";
import { readResult } from "../../src/net/result.ts";
import { fails } from "../helpers/failures.ts";

const result = (raw: Record<string, unknown>) => readResult({ cniVersion: "1.0.0", ...raw }, "test");

describe("hostsText (NET-30)", () => {
  it("each address of the pod has its names", () => {
    const results = [result({ ips: [{ address: "10.0.0.2/24" }, { address: "fd00::2/64" }] }), result({})];
    assert.equal(
      hostsText("127.0.0.1\tlocalhost\n", results, ["web", "www"]),
      "127.0.0.1\tlocalhost\n10.0.0.2\tweb www\nfd00::2\tweb www\n",
    );
  });
});

describe("resolvText (NET-31)", () => {
  it("the first network that has name servers says them", () => {
    const dns = {
      nameservers: ["10.0.0.1"],
      search: ["a.example", "b.example"],
      domain: "a.example",
      options: ["ndots:2"],
    };
    const text = resolvText("nameserver 192.0.2.1\n", [result({ dns: { search: ["x"] } }), result({ dns })]);
    assert.equal(text, "domain a.example\nsearch a.example b.example\nnameserver 10.0.0.1\noptions ndots:2\n");
  });
  it("else the host's, without those that only the host can reach", () => {
    const host = "# made\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1\nsearch a.example\n";
    assert.equal(resolvText(host, [result({})]), "# made\nnameserver 192.0.2.1\nsearch a.example\n");
  });
});

describe("parseNameFlags (NET-32)", () => {
  it("nothing said is nothing", () => assert.deepEqual(parseNameFlags({}), { dns: undefined, hosts: undefined }));
  it("name servers and what goes with them, as a file", () => {
    const { dns } = parseNameFlags({
      dns: ["10.0.0.1", "fd00::1"],
      dnsSearch: ["a.example"],
      dnsOptions: ["ndots:2"],
      dnsDomain: "b.example",
    });
    assert.ok(typeof dns === "object");
    assert.equal(
      resolvConf(dns),
      "domain b.example\nsearch a.example\nnameserver 10.0.0.1\nnameserver fd00::1\noptions ndots:2\n",
    );
  });
  it("host and none, each alone", () => {
    assert.deepEqual(parseNameFlags({ dns: ["host"], hostsEntries: ["host"] }), { dns: "host", hosts: "host" });
    assert.equal(parseNameFlags({ dns: ["none"] }).dns, "none");
  });
  it("entries, in their order", () => {
    assert.deepEqual(parseNameFlags({ hostsEntries: ["10.0.0.9=db", "fd00::9=db"] }).hosts, [
      { address: "10.0.0.9", name: "db" },
      { address: "fd00::9", name: "db" },
    ]);
  });
  const wrong: readonly NameFlags[] = [
    { dns: ["dns.example"] },
    { dns: ["host", "10.0.0.1"] },
    { dns: ["none"], dnsSearch: ["a.example"] },
    { dnsSearch: ["a b"] },
    { dnsOptions: ["x\ny"] },
    { dnsDomain: "-" },
    { hostsEntries: ["db"] },
    { hostsEntries: ["db=10.0.0.9"] },
    { hostsEntries: ["10.0.0.9=a\tb"] },
    { hostsEntries: ["host", "10.0.0.9=a"] },
  ];
  for (const flags of wrong) {
    it(`refuses ${JSON.stringify(flags)}`, () => assert.throws(() => parseNameFlags(flags), fails("USAGE")));
  }
  it("an alias is a host name", () => {
    assert.equal(parseAlias("db-1"), "db-1");
    for (const text of ["", "a b", "-a", "a\n10.0.0.1 b"]) assert.throws(() => parseAlias(text), fails("USAGE"));
  });
});
