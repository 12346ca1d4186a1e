import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openAnswers } from "../../src/fetch/answers.ts";
import { isSettled, knownArchive } from "../../src/fetch/stored.ts";
import { blobPath } from "../../src/store/layout.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { now } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const name = "example.com/web";

describe("knownArchive", () => {
  it("is what the URL brought last, as long as it is stored", async () => {
    await world.publish({ name }, { served: { etag: '"1"' } });
    const record = await world.fetch(name);
    const known = (url: string) =>
      knownArchive(
        world.store,
        { kind: "url", url },
        openAnswers(world.store, () => now),
      );
    const url = `https://example.com${world.pathOf(name)}`;
    assert.equal(known(url)?.record.id, record.id);
    assert.equal(known(`${url}.asc`), undefined);
    assert.equal(knownArchive(world.store, { kind: "file", path: "/x.aci" }, undefined), undefined);
    rmSync(blobPath(world.store, record.archive.sha512));
    assert.equal(known(url), undefined);
  });
});

describe("isSettled", () => {
  it("a new signer, another signature, or a name that leads elsewhere are reasons to store anew", async () => {
    await world.publish({ name });
    const record = await world.fetch(name);
    const signers = record.signers.map((signer) => ({ ...signer, signedAt: new Date(signer.signedAt) }));
    const named = { name, labels: [] };
    assert.equal(isSettled(world.store, record, signers, named), true);
    assert.equal(isSettled(world.store, { ...record, signers: [] }, signers, named), false);
    assert.equal(
      isSettled(
        world.store,
        record,
        signers.map((s) => ({ ...s, signedAt: new Date(0) })),
        named,
      ),
      false,
    );
    assert.equal(isSettled(world.store, { ...record, latest: false }, signers, named), false);
    const { id } = await world.publish({ name, content: "newer" });
    assert.equal((await world.fetch(name)).id, id);
    assert.equal(isSettled(world.store, record, signers, named), false);
  });
});
