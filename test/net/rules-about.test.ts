import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pluginRules, tableRules } from "../../src/net/rules-about.ts";

describe("rules about a pod (NET-50)", () => {
  it("those of a table", () => {
    const text =
      "table inet pg0 {\n\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\tip saddr 10.0.0.0/16 masquerade\n\t}\n}\n";
    assert.deepEqual(tableRules("pg0", text), [
      { madeBy: "perigee, table inet pg0", rule: "ip saddr 10.0.0.0/16 masquerade" },
    ]);
    assert.deepEqual(tableRules("pg0", ""), []);
  });
  it("those that name it by uuid or address, and no other", () => {
    const text = [
      "*nat",
      '-A POSTROUTING -s 10.0.0.1/32 -m comment --comment "name: \\"lan\\" id: \\"uuid-1\\"" -j CNI-1',
      "-A CNI-DN-1 -p tcp -j DNAT --to-destination 10.0.0.2:80",
      "-A CNI-DN-2 -p tcp -j DNAT --to-destination 10.0.0.22:80",
      "-A CNI-FORWARD -s 10.0.0.2/32 -j ACCEPT",
      "COMMIT",
    ].join("\n");
    const rules = (uuid: string, addresses: readonly string[]) =>
      pluginRules(text, uuid, addresses).map(({ rule }) => rule.split(" ")[1]);
    assert.deepEqual(rules("uuid-1", []), ["POSTROUTING"]);
    assert.deepEqual(rules("other", ["10.0.0.2"]), ["CNI-DN-1", "CNI-FORWARD"]);
  });
});
