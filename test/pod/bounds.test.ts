import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { boundBlock, boundMemory, boundMillicores, leastBlock, leastMemory } from "../../src/pod/bounds.ts";
import { fails } from "../helpers/failures.ts";

describe("POD-30: quantities the kernel cannot take", () => {
  it("memory below the least is refused with the least", () => {
    assert.equal(boundMemory(leastMemory, "web"), 1_048_576n);
    for (const bytes of [0n, 1n, leastMemory - 1n]) {
      assert.throws(
        () => boundMemory(bytes, "web"),
        fails("MANIFEST_INVALID", new RegExp(`resource/memory of web.* ${bytes} bytes`), {
          cause: /1048576/,
          hint: /1Mi/,
        }),
      );
    }
  });

  it("memory above the most becomes the most, in whole pages of any size", () => {
    assert.equal(boundMemory(2n ** 62n, "web"), 2n ** 62n);
    for (const bytes of [2n ** 63n, 2n ** 64n + 1n, 10n ** 20n]) {
      const most = boundMemory(bytes, "web");
      assert.ok(most < 2n ** 63n && most % 65536n === 0n);
    }
  });

  it("cores become at most what 44 bits of microseconds can say, and stay exact below", () => {
    assert.equal(boundMillicores(500n), 500);
    assert.equal(boundMillicores(10n ** 23n), 175_921_860_444);
    assert.ok(boundMillicores(10n ** 23n) * 100 < 2 ** 44);
  });
});

describe("ISO-11: limits of block devices", () => {
  it("too little is refused: what waits for the device could not be killed", () => {
    for (const kind of ["bytes", "operations"] as const) {
      assert.equal(boundBlock(leastBlock[kind], kind, "web"), leastBlock[kind]);
      for (const limit of [0n, leastBlock[kind] - 1n]) {
        assert.throws(() => boundBlock(limit, kind, "web"), fails("MANIFEST_INVALID", /resource\/block-.* of web/));
      }
    }
  });

  it("too much becomes what the kernel does not cut off", () => {
    assert.equal(boundBlock(2n ** 64n + 1n, "bytes", "web"), 2n ** 63n - 1n);
    assert.equal(boundBlock(2n ** 32n + 1n, "operations", "web"), 2n ** 32n - 1n);
  });
});
