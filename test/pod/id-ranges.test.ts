import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { claimRange, rangeSize, releaseRanges } from "../../src/pod/id-ranges.ts";

let data = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), `perigee-ranges-${process.pid}-`));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

describe("claimRange (LIFE-17)", () => {
  it("gives each pod a range of its own, aligned, above the host's ids and within 31 bits", () => {
    const bases = Array.from({ length: 50 }, (_, index) => claimRange(data, `pod-${index}`));
    assert.equal(new Set(bases).size, 50);
    for (const base of bases) {
      assert.equal(base % rangeSize, 0);
      assert.ok(base >= 0x7000_0000 && base + rangeSize <= 0x7fff_0000);
    }
  });

  it("gives a range of a dead pod again, never one of a live pod", () => {
    const dead = claimRange(data, "dead");
    const live = claimRange(data, "live");
    releaseRanges(data, () => new Set(["live"]));
    assert.equal(claimRange(data, "next"), dead);
    assert.notEqual(claimRange(data, "further"), live);
  });

  it("says so when all are taken", () => {
    claimRange(data, "first");
    const directory = join(data, "id-ranges");
    const taken = new Set(readdirSync(directory));
    for (let slot = 0; slot < 4094; slot++)
      if (!taken.has(String(slot))) writeFileSync(join(directory, String(slot)), "x");
    assert.throws(
      () => claimRange(data, "late"),
      (error: unknown) => error instanceof Failure && error.code === "LIMIT_EXCEEDED",
    );
  });
});
