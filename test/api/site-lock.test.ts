import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { lockSite, makeAndLock, removeEmpty } from "../../src/api/site-lock.ts";
import { silentLog } from "../../src/base/log.ts";
import { FileLock } from "../../src/shim/flock.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

/** Settings that say each time that a lock is waited for. */
const waiting = (onWait: () => void) => ({ log: { ...silentLog, info: onWait } });

function taken(out: string): FileLock {
  const lock = FileLock.open(out, "exclusive");
  assert.ok(lock);
  return lock;
}

describe("the lock of a site", () => {
  it("is that of the directory which is there, and not of one that was taken away while it was waited for", async (context) => {
    const out = join(await temporaryDirectory(context), "site");
    mkdirSync(out);
    const first = taken(out);
    const other: FileLock[] = [];
    const settings = waiting(() => {
      const second = other[0];
      if (second !== undefined) return second.release();
      // A publish that came to nothing, and the next one.
      rmdirSync(out);
      mkdirSync(out);
      other.push(taken(out));
      first.release();
    });
    const lock = await lockSite(settings, out, undefined);
    assert.equal(other.length, 1);
    assert.equal(FileLock.open(out, "exclusive"), undefined);
    lock?.release();
    taken(out).release();
  });

  it("is none where no directory is, be it from the beginning or when it was waited for", async (context) => {
    const out = join(await temporaryDirectory(context), "site");
    assert.equal(await lockSite(waiting(assert.fail), out, undefined), undefined);
    mkdirSync(out);
    const first = taken(out);
    const settings = waiting(() => {
      rmdirSync(out);
      first.release();
    });
    assert.equal(await lockSite(settings, out, undefined), undefined);
  });

  it("is waited for with the directory made, and made again when it is taken away", async (context) => {
    const above = join(await temporaryDirectory(context), "a");
    const out = join(above, "site");
    mkdirSync(out, { recursive: true });
    const first = taken(out);
    const made = new Set<string>();
    const settings = waiting(() => {
      rmdirSync(out);
      rmdirSync(above);
      first.release();
    });
    const lock = await makeAndLock(settings, out, made, undefined);
    assert.deepEqual([...made], [above, out]);
    assert.equal(FileLock.open(out, "exclusive"), undefined);
    removeEmpty(made);
    lock.release();
    assert.ok(!existsSync(above));
  });
});

describe("removeEmpty", () => {
  it("takes away what was made, whatever the order it was made in, but nothing that holds something", async (context) => {
    const directory = await temporaryDirectory(context);
    const [a, b, c] = ["a", "a/b", "a/b/c"].map((name) => join(directory, name)) as [string, string, string];
    mkdirSync(c, { recursive: true });
    removeEmpty(new Set([b, c]));
    assert.ok(existsSync(a) && !existsSync(b));
    mkdirSync(c, { recursive: true });
    writeFileSync(join(a, "file"), "");
    removeEmpty(new Set([c, a, b]));
    assert.ok(existsSync(a) && !existsSync(b));
  });
});
