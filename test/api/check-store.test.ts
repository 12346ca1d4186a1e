import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkStatus, checkStore } from "../../src/api/check-store.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { blobPath, treesOf } from "../../src/store/layout.ts";
import { readRecordSync } from "../../src/store/lookup.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("checkStore", () => {
  it("CHECK-4: refuses a store of another version, with the way out", async (t) => {
    const data = await temporaryDirectory(t);
    mkdirSync(join(data, "store"));
    for (const version of ["2\n", "0", "nonsense"]) {
      writeFileSync(join(data, "store", "version"), version);
      const settings = await loadSettings({ dir: data });
      await assert.rejects(checkStore(settings, { repair: true }), (error: unknown) => {
        fails("WRONG_STATE", /another layout/)(error);
        return error instanceof Error && "hint" in error && /--dir DIRECTORY/.test(String(error.hint));
      });
    }
  });

  it("quick reads no archive", async (t) => {
    const { settings, store, ids } = await storedImages(t);
    const path = blobPath(store, readRecordSync(store, ids.base)?.archive.sha512 ?? "");
    const size = readRecordSync(store, ids.base)?.archive.size ?? 0;
    writeFileSync(path, Buffer.alloc(size));
    const quick = await checkStore(settings, { quick: true });
    assert.deepEqual([quick.findings, quick.archives], [[], 0]);
    assert.equal(checkStatus(await checkStore(settings)), 5);
  });

  it("tells a layout that is not whole, and nothing else, until it is repaired", async (t) => {
    const { settings, store } = await storedImages(t);
    rmSync(treesOf(store), { recursive: true });
    const { findings } = await checkStore(settings);
    assert.deepEqual(
      findings.map(({ kind, path, advice }) => [kind, path, advice]),
      [["layout", "trees", "perigee store check --repair"]],
    );
  });
});
