import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import * as openpgp from "openpgp";
import { openAnswers } from "../../src/fetch/answers.ts";
import type { FetchContext } from "../../src/fetch/member.ts";
import { recallSigners } from "../../src/fetch/recall.ts";
import { readSignature } from "../../src/store/images.ts";
import { blobPath } from "../../src/store/layout.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld } from "../helpers/fetch-world.ts";
import { versioned } from "../helpers/https-server.ts";
import { craft, day, made, makeKey, now } from "../helpers/trust.ts";

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

const name = "example.com/web";
const served = { etag: '"1"' };
const later = (milliseconds: number): Partial<FetchContext> => ({
  now: () => new Date(now.getTime() + milliseconds),
});

/** Fetches it until a verdict is remembered, which the last fetch may have used. */
async function remembered(): Promise<void> {
  world.server.on("/web?ac-discovery=1", versioned(Buffer.from(FetchWorld.page), served));
  await world.publish({ name }, { served });
  for (let turn = 0; turn < 3; turn += 1) await world.fetch(name);
  assert.ok(await recall());
}

/** What the next fetch would take from before. */
async function recall(changes: Partial<FetchContext> & { readonly signature?: Buffer; readonly of?: string } = {}) {
  const record = await world.fetch(name, "never");
  const signature = changes.signature ?? (await readSignature(world.store, record));
  assert.ok(signature !== undefined);
  const context = world.context(changes);
  const url = `https://example.com${world.pathOf(name)}`;
  const options = { ...context, answers: openAnswers(world.store, context.now) };
  return await recallSigners(signature, changes.of ?? name, { kind: "url", url }, options);
}

const keyFile = (directory = "config"): string =>
  join(world.directory, directory, "trustedkeys", "prefix.d", "example.com", world.key.fingerprint);

describe("a remembered verdict (TRUST-28)", () => {
  it("TRUST-28: names the signers of the record, and gives the same image", async () => {
    await remembered();
    const record = await world.fetch(name);
    const recalled = await recall();
    assert.equal(recalled?.archive, record.archive.sha512);
    assert.deepEqual(
      recalled?.signers.map((signer) => ({ ...signer, signedAt: signer.signedAt.toISOString() })),
      record.signers,
    );
  });

  it("TRUST-28: is used: the signature is not verified again while nothing changed", async () => {
    await remembered();
    const file = join(world.store.root, "verdicts", readdirSync(join(world.store.root, "verdicts"))[0] ?? "");
    const before = readFileSync(file, "utf8");
    await world.fetch(name, "update", later(1000));
    assert.equal(readFileSync(file, "utf8"), before);
    await world.fetch(name, "update", later(day));
    assert.notEqual(readFileSync(file, "utf8"), before, "after a day it is verified, and remembered anew");
  });

  it("TRUST-28: does not help a key that was removed", async () => {
    await remembered();
    rmSync(keyFile());
    assert.equal(await recall(), undefined);
    await assert.rejects(world.fetch(name), fails("KEY_UNTRUSTED"));
  });

  it("TRUST-28, T-S27: does not help a key that is masked", async () => {
    await remembered();
    writeFileSync(keyFile(), "");
    assert.equal(await recall(), undefined);
    await assert.rejects(world.fetch(name), fails("KEY_UNTRUSTED"));
  });

  it("TRUST-28, T-S09: does not help a key that is revoked, in whichever copy", async () => {
    await remembered();
    const { privateKey } = await openpgp.revokeKey({ key: world.key.key, format: "object" });
    await storeTrustedKey(join(world.directory, "config"), "root", made(privateKey).armored);
    assert.equal(await recall(), undefined);
    await assert.rejects(world.fetch(name), fails("SIGNATURE_INVALID"));
  });

  it("TRUST-28, T-S28: does not help a keystore that others can write to", async () => {
    await remembered();
    chmodSync(keyFile(), 0o666);
    await assert.rejects(recall(), fails("CONFIG_INVALID"));
    await assert.rejects(world.fetch(name), fails("CONFIG_INVALID"));
  });

  it("TRUST-28: does not help another signature, another name, or another archive", async () => {
    await remembered();
    const { bytes } = await world.publish({ name }, { served });
    assert.equal(await recall({ signature: await craft(world.key, bytes, { hash: 8 }) }), undefined);
    assert.equal(await recall({ of: "example.com/other" }), undefined);
    const stranger = await makeKey();
    await world.publish({ name }, { served: { etag: '"2"' }, key: stranger });
    await assert.rejects(world.fetch(name), fails("KEY_UNTRUSTED"));
  });

  it("TRUST-28, T-D14: does not help an archive with one flipped bit", async () => {
    await remembered();
    const { archive } = await world.fetch(name, "never");
    const path = blobPath(world.store, archive.sha512);
    const rotten = readFileSync(path);
    rotten.writeUInt8(rotten.readUInt8(40) ^ 1, 40);
    writeFileSync(path, rotten);
    assert.equal((await world.fetch(name)).archive.sha512, archive.sha512);
    assert.ok(!readFileSync(path).equals(rotten));
  });

  it("TRUST-28: is not asked where an expired key may count, nor in a second attempt", async () => {
    await remembered();
    assert.equal(await recall({ allowExpiredKey: true }), undefined);
    const anew = openAnswers(
      world.store,
      () => now,
      openAnswers(world.store, () => now),
    );
    const record = await world.fetch(name, "never");
    const signature = await readSignature(world.store, record);
    const url = `https://example.com${world.pathOf(name)}`;
    assert.ok(signature !== undefined);
    const options = { ...world.context(), answers: anew };
    assert.equal(await recallSigners(signature, name, { kind: "url", url }, options), undefined);
  });

  it("TRUST-28: a torn file of it counts for nothing", async () => {
    await remembered();
    const directory = join(world.store.root, "verdicts");
    for (const file of readdirSync(directory)) writeFileSync(join(directory, file), "torn");
    assert.equal(await recall(), undefined);
    assert.ok(await world.fetch(name));
    assert.ok(await recall());
  });
});

describe("a verdict that ends (TRUST-28)", () => {
  it("TRUST-28, T-S08: with the key: what was remembered does not outlive it", async () => {
    const soon = 100 * 24 * 3600 + 3600;
    const key = await makeKey({ expiresAfter: soon });
    await storeTrustedKey(join(world.directory, "config"), { prefix: name }, key.armored);
    world.server.on("/web?ac-discovery=1", versioned(Buffer.from(FetchWorld.page), served));
    await world.publish({ name }, { served, key });
    for (let turn = 0; turn < 2; turn += 1) await world.fetch(name);
    assert.ok(await recall(later(3_599_000)));
    assert.equal(await recall(later(3_600_000)), undefined);
    await assert.rejects(world.fetch(name, "update", later(3_601_000)), fails("SIGNATURE_INVALID"));
  });

  it("TRUST-28: an image that failed leaves none", async () => {
    await world.publish({ name }, { key: await makeKey() });
    await assert.rejects(world.fetch(name), fails("KEY_UNTRUSTED"));
    assert.ok(!existsSync(join(world.store.root, "verdicts")));
  });
});
