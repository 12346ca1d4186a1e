import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { checkTrees, readArchives } from "../../src/store/check-content.ts";
import { blobPath } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { fails } from "../helpers/failures.ts";
import { keepingLog } from "../helpers/fetch-world.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("reading archives and trees (CHECK-1)", () => {
  it("names the archives whose bytes differ, and says how far it is", async (t) => {
    const { store, ids } = await storedImages(t);
    const digest = readRecordSync(store, ids.base)?.archive.sha512 ?? "";
    truncateSync(blobPath(store, digest), 10);
    const log = keepingLog();
    const { count, rotten } = await readArchives(store, { log });
    assert.deepEqual([count, [...rotten]], [3, [digest]]);
    assert.ok(log.messages.includes("reading the archives of the store"));
  });

  it("can be interrupted", async (t) => {
    const { store } = await storedImages(t);
    await assert.rejects(readArchives(store, { log: silentLog, signal: AbortSignal.abort() }), fails("INTERRUPTED"));
  });

  it("compares no tree of an image whose archive is damaged", async (t) => {
    const { store, ids } = await storedImages(t);
    truncateSync(blobPath(store, readRecordSync(store, ids.base)?.archive.sha512 ?? ""), 10);
    const log = keepingLog();
    assert.deepEqual(await checkTrees(store, { repair: true, users: () => new Map(), log }), []);
    assert.match(log.messages.join("\n"), /a tree was not compared/);
  });
});
