import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { isSettled, keep, readKept } from "../../src/store/kept.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("what is kept", () => {
  it("LIST-4: comes back as it was, and not at all when one byte differs or it is no file", async (t) => {
    const path = join(await temporaryDirectory(t), "kept");
    assert.equal(readKept(path), undefined);
    await keep(path, { form: 1 }, silentLog);
    assert.deepEqual(readKept(path), { form: 1 });
    writeFileSync(path, readFileSync(path, "utf8").replace("form", "farm"));
    assert.equal(readKept(path), undefined);
  });

  it("LIST-2: that it cannot be written is no failure", async (t) => {
    const path = join(await temporaryDirectory(t), "kept");
    mkdirSync(path);
    const told: string[] = [];
    await keep(path, {}, { ...silentLog, debug: (text) => told.push(text) });
    assert.match(told.join(), /not kept/);
    assert.equal(readKept(path), undefined);
  });

  it("LIST-2: a stamp of the last second may still be that of the next change", () => {
    const stamp = { inode: 1, size: 1, changedAt: 5000 };
    assert.equal(isSettled(stamp, 6000), false);
    assert.equal(isSettled(stamp, 6001), true);
  });
});
