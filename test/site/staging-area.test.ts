import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { StagingArea } from "../../src/site/staging-area.ts";
import { failure } from "../helpers/trust.ts";

describe("StagingArea (SITE-7)", () => {
  let site = "";
  beforeEach(() => {
    site = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
  });
  afterEach(() => rmSync(site, { recursive: true, force: true }));

  it("is made when it is needed, for nobody else, and is gone when it is cleared", () => {
    const area = new StagingArea(site);
    assert.equal(area.isMade, false);
    writeFileSync(area.entry("1"), "one");
    assert.equal(readFileSync(join(site, ".publishing", "1"), "utf8"), "one");
    assert.equal(lstatSync(join(site, ".publishing")).mode & 0o777, 0o700);
    area.clear();
    assert.equal(existsSync(join(site, ".publishing")), false);
    new StagingArea(join(site, "none")).clear();
  });

  it("refuses what nobody could have made by accident: more levels than it opens", () => {
    mkdirSync(join(site, ".publishing", ...Array<string>(70).fill("d")), { recursive: true });
    assert.throws(() => new StagingArea(site).clear(), failure("WRONG_STATE", /64 levels/));
  });
});
