import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openAnswers } from "../../src/fetch/answers.ts";
import { chooseWay, type WayOptions } from "../../src/fetch/way.ts";
import { beginImport } from "../../src/store/blobs.ts";
import { takeTurn } from "../../src/store/downloads.ts";
import { FetchWorld, keepingLog } from "../helpers/fetch-world.ts";
import { now } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const url = `https://example.com/images/example.com/web-latest-linux-${process.arch === "arm64" ? "aarch64" : "amd64"}.aci`;
const place = { kind: "url", url } as const;
const options = (changes: Partial<WayOptions> = {}): WayOptions => ({
  ...world.context(),
  insecureHttp: false,
  answers: openAnswers(world.store, () => now),
  ...changes,
});

describe("chooseWay", () => {
  it("a file is nobody's turn; a URL that nobody fetches is asked", async () => {
    const file = await chooseWay({ kind: "file", path: "/a.aci" }, options());
    assert.equal(file.kind, "ask");
    const way = await chooseWay(place, options());
    assert.ok(way.kind === "ask" && way.known === undefined);
    await way.release();
  });

  it("DOWNLOAD-1: says once that it waits; then takes what the other is about to store", async () => {
    const other = await takeTurn(world.store, url, {});
    const log = keepingLog();
    const waiting = chooseWay(place, options({ log }));
    while (log.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const staging = await beginImport(world.store);
    await staging.noteWhole(url);
    await other.release();
    const way = await waiting;
    assert.ok(way.kind === "shared" && way.place.kind === "file");
    assert.equal(way.place.path, staging.archivePath);
    assert.deepEqual(log.messages, [`waiting for another process that fetches ${url}`]);
    await staging.abandon();
  });

  it("DOWNLOAD-2: who holds nothing waits until it is stored or given up", async () => {
    const staging = await beginImport(world.store);
    await staging.noteWhole(url);
    const log = keepingLog();
    const waiting = chooseWay(place, options({ log, holdsNothing: true }));
    while (log.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await staging.abandon();
    const way = await waiting;
    assert.equal(way.kind, "ask", "it was given up");
    if (way.kind === "ask") await way.release();
  });

  it("DOWNLOAD-4: what came since it was wanted needs no second request, what came before does", async () => {
    const { id } = await world.publish({ name: "example.com/web", content: "same" }, { served: { etag: '"1"' } });
    await world.fetch("example.com/web");
    const at = (since: Date) => chooseWay(place, options({ since }));
    const stored = await at(new Date(now.getTime() - 1));
    assert.ok(stored.kind === "stored" && stored.known.record.id === id);
    const asked = await at(now);
    assert.ok(asked.kind === "ask" && asked.known?.record.id === id);
    await asked.release();
  });

  it("the second attempt takes nothing of others", async () => {
    const staging = await beginImport(world.store);
    await staging.noteWhole(url);
    const first = openAnswers(world.store, () => now);
    const way = await chooseWay(place, options({ answers: openAnswers(world.store, () => now, first) }));
    assert.equal(way.kind, "ask");
    if (way.kind === "ask") await way.release();
    await staging.abandon();
  });
});
