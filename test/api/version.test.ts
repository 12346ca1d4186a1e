import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { showVersion, version } from "../../src/api/version.ts";
import { acVersion } from "../../src/schema/image-manifest.ts";

describe("showVersion", () => {
  it("is the version of the package", () => {
    assert.equal(version, JSON.parse(readFileSync("package.json", "utf8")).version);
    assert.equal(showVersion().version, version);
  });
  it("names the specification that the schemas follow", () => assert.equal(showVersion().appcVersion, acVersion));
  it("REPRO-3: names what it runs on, and the compressor", () => {
    const { nodeVersion, zlibVersion, os, kernel } = showVersion();
    assert.equal(zlibVersion, process.versions["zlib"]);
    assert.deepEqual([nodeVersion, os], [process.versions.node, "linux"]);
    assert.match(kernel, /^\d+\.\d+/);
  });
});
