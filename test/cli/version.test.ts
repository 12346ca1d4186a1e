import assert from "node:assert/strict";
import { describe, it } from "node:test";
import version from "../../src/cli/commands/version.ts";

describe("perigee version", () => {
  it("prints six lines", () => {
    const result = {
      version: "1",
      appcVersion: "2",
      nodeVersion: "3",
      zlibVersion: "1.3.1",
      os: "linux",
      arch: "x64",
      kernel: "6",
    };
    assert.deepEqual(version.text(result, {} as never), [
      "perigee Version: 1",
      "appc Version: 2",
      "Node Version: 3",
      "zlib Version: 1.3.1",
      "OS/Arch: linux/x64",
      "Kernel: 6",
    ]);
  });
});
