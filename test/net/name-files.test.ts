import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostsText, resolvText } from "../../src/net/name-files.ts";
import { readResult } from "../../src/net/result.ts";

const result = (raw: Record<string, unknown>) => readResult({ cniVersion: "1.0.0", ...raw }, "test");

describe("hostsText (NET-30)", () => {
  it("each address of the pod has its host name", () => {
    const results = [result({ ips: [{ address: "10.0.0.2/24" }, { address: "fd00::2/64" }] }), result({})];
    assert.equal(
      hostsText("127.0.0.1\tlocalhost\n", results, "web"),
      "127.0.0.1\tlocalhost\n10.0.0.2\tweb\nfd00::2\tweb\n",
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
