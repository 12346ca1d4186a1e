import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { blobPath, openStore } from "../../src/store/layout.ts";
import { beginHashing, isAsHashed, keepVerdict, readVerdict, sweepVerdicts } from "../../src/store/verdicts.ts";
import { sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const [one, other] = [sha512("one"), sha512("other")];

describe("verdicts", () => {
  it("TRUST-28: are of their archive only, and none when a byte differs", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const path = (archive: string) => join(store.root, "verdicts", `${archive}.json`);
    assert.equal(readVerdict(store, one), undefined);
    await keepVerdict(store, one, { verdict: { a: 1 } }, silentLog);
    assert.deepEqual(readVerdict(store, one), { a: 1 });
    writeFileSync(path(other), readFileSync(path(one)));
    assert.equal(readVerdict(store, other), undefined);
    writeFileSync(path(one), readFileSync(path(one), "utf8").replace('"a":1', '"a":2'));
    assert.equal(readVerdict(store, one), undefined);
  });

  it("TRUST-28, VERIFY-5: what is kept of an archive does not take away what else is", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const at = new Date();
    const blob = blobPath(store, one);
    mkdirSync(dirname(blob));
    writeFileSync(blob, "one");
    const hashed = beginHashing(store, one, at, Date.now() + 60_000);
    assert.ok(hashed !== undefined);
    await keepVerdict(store, one, { verdict: { a: 1 } }, silentLog);
    await keepVerdict(store, one, { hashed }, silentLog);
    assert.deepEqual(readVerdict(store, one), { a: 1 });
    assert.ok(isAsHashed(store, one, at));
    await keepVerdict(store, one, { verdict: { a: 2 } }, silentLog);
    assert.ok(isAsHashed(store, one, at));
  });

  it("VERIFY-5: nothing is noted of an archive that is not there, nor believed of another's", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    assert.equal(beginHashing(store, one, new Date()), undefined);
    await keepVerdict(store, one, { hashed: { file: { inode: 1, size: 1, changedAt: 1 }, at: 0 } }, silentLog);
    assert.ok(!isAsHashed(store, one, new Date(1)));
  });

  it("the sweep removes those of archives that are gone, and what writers left", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    await sweepVerdicts(store, new Set());
    assert.ok(!existsSync(join(store.root, "verdicts")));
    for (const archive of [one, other]) await keepVerdict(store, archive, {}, silentLog);
    writeFileSync(join(store.root, "verdicts", `.${one}.0123456789ab.tmp`), "");
    await sweepVerdicts(store, new Set([other]));
    assert.deepEqual(readdirSync(join(store.root, "verdicts")), [`${other}.json`]);
  });
});
