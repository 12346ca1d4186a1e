import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultHostname, parseHostname, podFiles } from "../../src/pod/network.ts";
import { fails } from "../helpers/failures.ts";

describe("parseHostname", () => {
  it("takes RFC 1123 names that Linux can hold", () => {
    for (const text of ["a", "web-1", "Web.example.com", "a".repeat(63)]) assert.equal(parseHostname(text), text);
    assert.equal(parseHostname(defaultHostname("123e4567-e89b-42d3-a456-426614174000")).length, 44);
  });

  for (const text of ["", "-a", "a-", "a..b", "a_b", "a b", "a\n", `${"a".repeat(60)}.bcdef`, "a".repeat(64)]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseHostname(text), fails("USAGE")));
  }
});

describe("podFiles", () => {
  it("T-R61: without a network there are names of the pod itself and no name servers", () => {
    const files = podFiles({
      network: "none",
      hostname: "web",
      hostResolvConf: "nameserver 1.1.1.1\n",
      hostHosts: "x",
    });
    assert.deepEqual(
      files.map(({ target, onlyIfMissing }) => [target, onlyIfMissing]),
      [
        ["/etc/hostname", false],
        ["/etc/hosts", true],
      ],
    );
    assert.equal(files[0]?.content, "web\n");
    assert.match(files[1]?.content ?? "", /^127\.0\.0\.1\tlocalhost\n::1\tlocalhost.*\n127\.0\.1\.1\tweb\n$/);
  });

  it("with the host's network the host's files serve a root that has none (OS-2, OS-3)", () => {
    const files = podFiles({
      network: "host",
      hostname: "web",
      hostResolvConf: "nameserver 192.0.2.1\n",
      hostHosts: "192.0.2.7 db\n\n",
    });
    const content = new Map(files.map((file) => [file.target, file]));
    assert.equal(content.get("/etc/hosts")?.content, "192.0.2.7 db\n127.0.1.1\tweb\n");
    assert.equal(content.get("/etc/resolv.conf")?.content, "nameserver 192.0.2.1\n");
    assert.ok(content.get("/etc/resolv.conf")?.onlyIfMissing);
  });

  it("a host without such files is no error", () => {
    const targets = podFiles({ network: "host", hostname: "web" }).map(({ target }) => target);
    assert.deepEqual(targets, ["/etc/hostname", "/etc/hosts"]);
  });
});
