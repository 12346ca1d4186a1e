import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rulesOf, runTool } from "../../src/net/rules.ts";
import { fails } from "../helpers/failures.ts";

const network = { bridge: "pg0", range: { ipv4: "10.178.0.0", ipv6: "fd00:1111:2222" } };

describe("rules of the built-in networks (NET-15)", () => {
  it("what leaves the network is masqueraded, and nothing within it; the table is replaced as a whole", () => {
    const text = rulesOf({ ...network, isRestricted: false });
    assert.match(text, /^table inet pg0 \{\}\ndelete table inet pg0\ntable inet pg0 \{\n/);
    assert.match(text, /ip saddr 10\.178\.0\.0\/16 ip daddr != \{ 10\.178\.0\.0\/16, 224\.0\.0\.0\/4 \} masquerade/);
    assert.match(text, /ip6 saddr fd00:1111:2222::\/48 ip6 daddr != .* masquerade/);
    assert.doesNotMatch(text, /drop/);
  });
  it("NET-13: of the restricted network nothing is forwarded elsewhere", () => {
    const text = rulesOf({ ...network, isRestricted: true });
    assert.match(text, /hook forward/);
    assert.match(text, /ip saddr 10\.178\.0\.0\/16 ip daddr != 10\.178\.0\.0\/16 drop/);
    assert.doesNotMatch(text, /masquerade/);
  });
  it("nft takes both", async () => {
    for (const isRestricted of [true, false]) {
      const { status, stderr } = await runTool("nft", ["--check", "-f", "-"], rulesOf({ ...network, isRestricted }));
      assert.equal(status, 0, stderr);
    }
  });
  it("a tool that is not installed is told", async () => {
    await assert.rejects(
      runTool("perigee-no-such-tool", []),
      fails("NOT_FOUND", /not installed/, { hint: /nftables/ }),
    );
  });
});
