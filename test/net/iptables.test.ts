import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyChains, orphanRules, parseTables } from "../../src/net/iptables.ts";

const gone = "aaaaaaaa-0000-4000-8000-000000000000";
const alive = "bbbbbbbb-0000-4000-8000-000000000000";
const comment = (uuid: string) => `-m comment --comment "name: \\"lan\\" id: \\"${uuid}\\""`;
const masquerade = `# Generated
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-1111 - [0:0]
:CNI-2222 - [0:0]
-A POSTROUTING -s 10.1.0.2/32 ${comment(gone)} -j CNI-1111
-A POSTROUTING -s 10.1.0.3/32 ${comment(alive)} -j CNI-2222
-A CNI-1111 -d 10.1.0.0/16 ${comment(gone)} -j ACCEPT
-A CNI-1111 ! -d 224.0.0.0/4 ${comment(gone)} -j MASQUERADE
-A CNI-2222 -d 10.1.0.0/16 ${comment(alive)} -j ACCEPT
COMMIT
`;

describe("orphanRules (NET-21)", () => {
  it("the rules of one pod, and the chain that only they led to", () => {
    assert.equal(
      orphanRules(masquerade, gone),
      `*nat\n-D POSTROUTING -s 10.1.0.2/32 ${comment(gone)} -j CNI-1111\n-F CNI-1111\n-X CNI-1111\nCOMMIT\n`,
    );
  });
  it("a chain that another rule leads to stays", () => {
    const shared = masquerade.replace(`-j CNI-2222`, "-j CNI-1111");
    assert.doesNotMatch(orphanRules(shared, gone), /-X/);
  });
  it("nothing of a pod is nothing to do", () => assert.equal(orphanRules(masquerade, "cccccccc-0000"), ""));
});

const left = `*filter
:FORWARD ACCEPT [0:0]
:CNI-ADMIN - [0:0]
:CNI-FORWARD - [0:0]
:OTHER - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A FORWARD -j OTHER
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -j CNI-HOSTPORT-MASQ
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
COMMIT
`;

describe("emptyChains (NET-22)", () => {
  it("chains of the plugins that hold nothing go, with the jumps to them; others stay", () => {
    const text = emptyChains(left);
    for (const chain of [
      "CNI-ADMIN",
      "CNI-FORWARD",
      "CNI-HOSTPORT-DNAT",
      "CNI-HOSTPORT-MASQ",
      "CNI-HOSTPORT-SETMARK",
    ]) {
      assert.match(text, new RegExp(`^-F ${chain}$`, "m"));
      assert.match(text, new RegExp(`^-X ${chain}$`, "m"));
    }
    assert.match(text, /^-D FORWARD .* -j CNI-FORWARD$/m);
    assert.match(text, /^-D PREROUTING .* -j CNI-HOSTPORT-DNAT$/m);
    assert.doesNotMatch(text, /OTHER/);
    assert.equal(emptyChains("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"), "");
  });
  it("what a pod, whoever's, still needs stays", () => {
    const used = left
      .replace("*nat\n", "*nat\n:CNI-DN-1 - [0:0]\n")
      .replace(
        "-A CNI-HOSTPORT-MASQ",
        `-A CNI-DN-1 -p tcp -j DNAT --to-destination 10.1.0.2:80\n-A CNI-HOSTPORT-DNAT -p tcp ${comment(alive)} -j CNI-DN-1\n-A CNI-HOSTPORT-MASQ`,
      )
      .replace("-A CNI-FORWARD -m", `-A CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT\n-A CNI-FORWARD -m`);
    const text = emptyChains(used);
    assert.doesNotMatch(text, /CNI-HOSTPORT|CNI-DN-1/);
    assert.doesNotMatch(text, /-X CNI-FORWARD/);
  });
});

describe("parseTables", () => {
  it("tables, chains and rules", () => {
    const [table] = parseTables(masquerade);
    assert.deepEqual([table?.name, table?.chains, table?.rules.length], ["nat", ["CNI-1111", "CNI-2222"], 5]);
    assert.deepEqual(parseTables(""), []);
  });
});
