import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { describe, it } from "node:test";
import { recordPath } from "../../src/store/layout.ts";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee store check", () => {
  it("says in one line that all is well; else a table and what helps", async (t) => {
    const { data, store, ids } = await storedImages(t);
    const whole = perigee(data, "store", "check");
    assert.deepEqual([whole.status, whole.stdout.split("\n").length], [0, 2]);
    assert.match(whole.stdout, /: 3 images, 3 archives read \(.*\); 0 damaged, 0 left over\n$/);
    truncateSync(recordPath(store, ids.base), 100);
    const damaged = perigee(data, "store", "check");
    assert.equal(damaged.status, 5);
    assert.match(
      damaged.stdout,
      /^WHAT +OUTCOME +PATH +PROBLEM\nrecord +left +index\/sha512-[0-9a-f]{12}…\.json +the entry/,
    );
    assert.match(damaged.stdout, /^ {2}try: perigee store check --repair$/m);
    const mended = perigee(data, "store", "check", "--repair", "--format", "json");
    assert.equal(mended.status, 0);
    const { images, findings } = JSON.parse(mended.stdout);
    assert.equal(images, 3);
    assert.deepEqual(findings.map(({ kind, outcome, damage }: Record<string, unknown>) => [kind, outcome, damage])[0], [
      ...["record", "repaired", true],
    ]);
    assert.equal(perigee(data, "store", "check").status, 0);
  });
});
