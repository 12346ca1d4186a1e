import assert from "node:assert/strict";
import { describe, it } from "node:test";
import version from "../../src/cli/commands/version.ts";

describe("perigee version", () => {
  it("prints five lines", () => {
    const result = { version: "1", appcVersion: "2", nodeVersion: "3", os: "linux", arch: "x64", kernel: "6" };
    assert.deepEqual(version.text(result, {} as never), [
      "perigee Version: 1",
      "appc Version: 2",
      "Node Version: 3",
      "OS/Arch: linux/x64",
      "Kernel: 6",
    ]);
  });
});
