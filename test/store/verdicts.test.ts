import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { openStore } from "../../src/store/layout.ts";
import { keepVerdict, readVerdict, sweepVerdicts } from "../../src/store/verdicts.ts";
import { sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const [one, other] = [sha512("one"), sha512("other")];

describe("verdicts", () => {
  it("TRUST-28: are of their archive only, and none when a byte differs", async (t) => {
    const store = await openStore(await temporaryDirectory(t));
    const path = (archive: string) => join(store.root, "verdicts", `${archive}.json`);
    assert.equal(readVerdict(store, one), undefined);
    await keepVerdict(store, one, { a: 1 }, silentLog);
    assert.deepEqual(readVerdict(store, one), { a: 1 });
    writeFileSync(path(other), readFileSync(path(one)));
    assert.equal(readVerdict(store, other), undefined);
    writeFileSync(path(one), readFileSync(path(one), "utf8").replace('"a":1', '"a":2'));
    assert.equal(readVerdict(store, one), undefined);
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
