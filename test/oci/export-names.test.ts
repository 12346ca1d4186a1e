import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadedName, outgoingName } from "../../src/oci/export-names.ts";

const named = (name: string, version?: string) =>
  outgoingName({ name, labels: version === undefined ? [] : [{ name: "version", value: version }] });

describe("OCI-84: names", () => {
  for (const [name, version, expected] of [
    ["example.com/web", "1.0.0", "example.com/web:1.0.0"],
    ["example.com/web", undefined, "example.com/web:latest"],
    ["example.com/a~b", "1.0+x y", "example.com/a-b:1.0_x_y"],
    ["web", "-1", "web:latest"],
    ["web", "v".repeat(200), `web:${"v".repeat(128)}`],
    ["a".repeat(300), "1", undefined],
  ] as const) {
    it(`${name.slice(0, 20)} ${version?.slice(0, 20)}`, () => assert.equal(loadedName(named(name, version)), expected));
  }
});
