import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DirectoryWatch } from "../../src/pod/watch.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("DirectoryWatch", () => {
  it("says which directory and which name", async (t) => {
    const directory = await temporaryDirectory(t);
    const changed = new Promise<readonly unknown[]>((resolve) => {
      const watch = new DirectoryWatch((...change) => {
        watch.close();
        resolve(change);
      });
      assert.equal(watch.add(directory), true);
      assert.equal(watch.add(directory), true, "twice is once");
      writeFileSync(join(directory, "file"), "");
    });
    assert.deepEqual(await changed, [directory, "file"]);
  });

  it("what is not there cannot be watched, and what goes away needs no more than to be forgotten", async (t) => {
    const directory = await temporaryDirectory(t);
    const below = join(directory, "below");
    let wake = (): void => {};
    const watch = new DirectoryWatch(() => wake());
    assert.equal(watch.add(below), false);
    mkdirSync(below);
    assert.equal(watch.add(below), true);
    const gone = new Promise<void>((resolve) => {
      wake = resolve;
    });
    rmSync(below, { recursive: true });
    await gone;
    watch.remove(below);
    assert.equal(watch.add(below), false);
    watch.close();
  });
});
