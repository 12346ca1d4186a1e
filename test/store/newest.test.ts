import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sweepStore } from "../../src/store/gc.ts";
import { openStore } from "../../src/store/layout.ts";
import { newestOf, noteNewest, readNewest } from "../../src/store/newest.ts";
import { moduleUrl, syncedBy } from "../helpers/synced.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const web = {
  name: "example.com/web",
  labels: [
    { name: "os", value: "linux" },
    { name: "arch", value: "amd64" },
  ],
};

describe("the newest signature of a name (T-D12)", () => {
  it("only rises, unless told; by name and labels in any order; gc keeps it", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    assert.equal(readNewest(store, web), undefined);
    await Promise.all([3, 1, 2].map((time) => noteNewest(store, web, new Date(time * 1000), false)));
    assert.equal(readNewest(store, web)?.getTime(), 3000);
    assert.equal(readNewest(store, { ...web, labels: web.labels.toReversed() })?.getTime(), 3000);
    assert.equal(readNewest(store, { ...web, labels: [] }), undefined);
    await sweepStore(store, new Set());
    await noteNewest(store, web, new Date(2000), true);
    assert.equal(readNewest(store, web)?.getTime(), 2000);
    const [file = ""] = readdirSync(newestOf(store));
    assert.equal(statSync(join(newestOf(store), file)).mode & 0o777, 0o600);
  });

  it("DUR-4: a mark that is there may be of a process that was killed before it had synced it", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const script = `import { noteNewest } from ${JSON.stringify(moduleUrl("store/newest"))};
      await noteNewest(${JSON.stringify(store)}, ${JSON.stringify(web)}, new Date(1000), false);`;
    const record = join(await temporaryDirectory(t), "record");
    assert.equal(syncedBy(newestOf(store), record, script).length, 2);
    assert.deepEqual(syncedBy(newestOf(store), record, script), [""]);
  });

  it("DUR-5: the sweep removes what a writer who was killed left, and no mark", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    await noteNewest(store, web, new Date(1000), false);
    const marks = readdirSync(newestOf(store));
    writeFileSync(join(newestOf(store), ".x.0123456789ab.tmp"), "");
    await sweepStore(store, new Set());
    assert.deepEqual(readdirSync(newestOf(store)), marks);
  });
});
