import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mapPorts, mapVolumes } from "../../src/oci/places.ts";

describe("OCI-36: exposed ports", () => {
  it("single ones, protocols and ranges", () => {
    const warnings: string[] = [];
    assert.deepEqual(mapPorts(["80", "80/tcp", "53/udp", "8000-8010/TCP"], warnings), [
      { name: "80-tcp", protocol: "tcp", port: 80, count: 1 },
      { name: "53-udp", protocol: "udp", port: 53, count: 1 },
      { name: "8000-8010-tcp", protocol: "tcp", port: 8000, count: 11 },
    ]);
    assert.deepEqual(warnings, []);
  });
  it("what is no port is left out and told of", () => {
    const warnings: string[] = [];
    assert.deepEqual(mapPorts(["0", "70000/tcp", "10-5", "http", "80/tcp/x", "1-65536", ""], warnings), []);
    assert.equal(warnings.length, 7);
  });
});

describe("OCI-37: volumes", () => {
  it("are mount points named after their path", () => {
    assert.deepEqual(mapVolumes(["/data", "/data/", "/data.d", "/data-d", "var/lib"], []), [
      { name: "volume-data", path: "/data", readOnly: false },
      { name: "volume-data-d", path: "/data.d", readOnly: false },
      { name: "volume-data-d-2", path: "/data-d", readOnly: false },
      { name: "volume-var-lib", path: "/var/lib", readOnly: false },
    ]);
  });
  it("any number of them that want one name take a moment", () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `/${String.fromCodePoint(0x4e00 + index)}`);
    const names = mapVolumes(many, []).map(({ name }) => name);
    assert.equal(new Set(names).size, many.length);
  });
  it("outside of the root, or none at all, are left out and told of", () => {
    const warnings: string[] = [];
    assert.deepEqual(mapVolumes(["/", "", "/a/../..", "/a\0b", `/${"x".repeat(5000)}`], warnings), []);
    assert.equal(warnings.length, 5);
  });
});
