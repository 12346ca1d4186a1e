import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findDownloaded, sweepTurns, takeTurn, waitForOwner } from "../../src/store/downloads.ts";
import { openStore, type Store, stagingOf, turnsOf } from "../../src/store/layout.ts";
import { noteWhole } from "../../src/store/partial.ts";
import { makeStaging } from "../../src/store/staging.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const url = "https://example.com/a.aci";
const open = async (t: Parameters<typeof temporaryDirectory>[0]): Promise<Store> =>
  openStore(await temporaryDirectory(t));

describe("the turn of a download (DOWNLOAD-1)", () => {
  it("is one process's at a time, for each URL; nothing is left of it", async (t) => {
    const store = await open(t);
    const first = await takeTurn(store, url, {});
    assert.equal(first.hasWaited, false);
    const other = await takeTurn(store, `${url}x`, {});
    await other.release();
    const order: string[] = [];
    const others = ["a", "b", "c"].map(async (name) => {
      const turn = await takeTurn(store, url, { onWait: () => order.push(`${name} waits`) });
      order.push(name);
      assert.equal(turn.hasWaited, true);
      await turn.release();
      await turn.release();
    });
    while (order.length < 3) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ["a waits", "b waits", "c waits"]);
    await first.release();
    await Promise.all(others);
    assert.deepEqual(order.slice(3).sort(), ["a", "b", "c"]);
    assert.deepEqual(readdirSync(turnsOf(store)), []);
  });

  it("ends a wait that is interrupted", async (t) => {
    const store = await open(t);
    const first = await takeTurn(store, url, {});
    const stop = new AbortController();
    const waiting = takeTurn(store, url, { signal: stop.signal, onWait: () => stop.abort() });
    await assert.rejects(waiting, fails("INTERRUPTED"));
    await first.release();
  });

  it("is swept when its owner is dead, whatever it is; one that is held stays", async (t) => {
    const store = await open(t);
    const held = await takeTurn(store, url, {});
    writeFileSync(join(turnsOf(store), "left"), "");
    mkdirSync(join(turnsOf(store), "directory"));
    symlinkSync("/nowhere", join(turnsOf(store), "link"));
    assert.equal(await sweepTurns(store), 3);
    assert.equal(readdirSync(turnsOf(store)).length, 1);
    await held.release();
  });
});

describe("what others downloaded (DOWNLOAD-1)", () => {
  it("counts while its owner is alive, once it is whole", async (t) => {
    const store = await open(t);
    const staging = await makeStaging(store);
    assert.equal(findDownloaded(store, url), undefined);
    await noteWhole(staging.path, url);
    assert.equal(findDownloaded(store, url), staging.path);
    assert.equal(findDownloaded(store, `${url}x`), undefined);
    let isOver = false;
    const waiting = waitForOwner(staging.path, { onWait: () => assert.equal(isOver, false) });
    isOver = true;
    await staging.discard();
    await waiting;
    await waitForOwner(staging.path, {});
    assert.equal(findDownloaded(store, url), undefined);
  });

  it("does not when its owner is dead", async (t) => {
    const store = await open(t);
    await noteWhole(mkdtempSync(join(stagingOf(store), "dead-")), url);
    assert.equal(findDownloaded(store, url), undefined);
  });
});
