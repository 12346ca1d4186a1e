import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { readSignature } from "../../src/store/images.ts";
import { rootfsOf, treePath } from "../../src/store/layout.ts";
import { storeTrustedKey } from "../../src/trust/keystore.ts";
import { fails } from "../helpers/failures.ts";
import { FetchWorld, keepingLog, makeImage } from "../helpers/fetch-world.ts";
import { sha512 } from "../helpers/images.ts";
import { craft, day, type MadeKey, makeKey, now } from "../helpers/trust.ts";

const web = { name: "example.com/web", version: "1.0" };
const reference = "example.com/web:1.0";

let stranger: MadeKey;
before(async () => {
  stranger = await makeKey({ userIDs: [{ name: "Stranger", email: "stranger@example.org" }] });
});

let world: FetchWorld;
beforeEach(async () => {
  world = await FetchWorld.open();
});
afterEach(() => world.close());

/** The failure leaves the store byte-identical. */
async function refused(text: string, expected: (error: unknown) => boolean, changes = {}): Promise<void> {
  const before = world.snapshot();
  await assert.rejects(world.fetch(text, "update", changes), expected);
  assert.deepEqual(world.snapshot(), before);
}

describe("importImage: what is stored", () => {
  it("by name: the record, the tree, the signature; asked in the right order", async () => {
    const image = await world.publish(web);
    const record = await world.fetch(reference);
    assert.equal(record.id, image.id);
    assert.deepEqual(record.archive, { sha512: sha512(image.bytes), size: image.bytes.length });
    assert.equal(record.tarSize, image.tar.length);
    assert.equal(record.source, `https://example.com${world.pathOf(web.name, web.version)}`);
    assert.equal(record.latest, false);
    assert.deepEqual(
      record.signers.map(({ fingerprint, keyDigest, signedAt }) => [fingerprint, keyDigest, signedAt]),
      [[world.key.fingerprint, sha512(world.key.armored), new Date(now.getTime() - day).toISOString()]],
    );
    const hello = readFileSync(join(rootfsOf(treePath(world.store, record.id)), "hello"), "utf8");
    assert.equal(hello, "hello from example.com/web\n");
    assert.match(String(await readSignature(world.store, record)), /BEGIN PGP SIGNATURE/);
    const path = world.pathOf(web.name, web.version);
    assert.deepEqual(world.server.paths(), ["/web?ac-discovery=1", "/?ac-discovery=1", `${path}.asc`, path]);
  });

  it("without a version it is the latest", async () => {
    await world.publish({ name: "example.com/web" });
    assert.equal((await world.fetch("example.com/web")).latest, true);
  });

  it("by URL and by file: the name is the manifest's", async () => {
    await world.publish(web);
    const url = `https://example.com${world.pathOf(web.name, web.version)}`;
    const { path } = await world.writeImage("any.aci", web);
    for (const text of [url, path]) {
      const record = await world.fetch(text);
      assert.equal(record.name, "example.com/web");
      assert.equal(record.source, text);
      assert.equal(record.signers.length, 1);
      assert.equal(record.latest, false);
    }
  });

  it("the same bytes once more are a success", async () => {
    await world.publish(web);
    const first = await world.fetch(reference);
    const before = [...world.snapshot().keys()];
    assert.equal((await world.fetch(reference)).id, first.id);
    assert.deepEqual([...world.snapshot().keys()], before);
  });

  it("A12: the same image in another compression has the same ID", async () => {
    const { id } = await world.publish({ ...web, compression: "none" });
    const zipped = await world.writeImage("web.aci", web);
    assert.equal(zipped.id, id);
    assert.equal((await world.fetch(reference)).id, id);
    assert.equal((await world.fetch(zipped.path)).id, id);
  });

  it("with --insecure-options=image no signature is asked for, and nobody vouches", async () => {
    await world.publish(web, { key: "none" });
    const record = await world.fetch(reference, "update", { insecure: { image: true, http: false } });
    assert.deepEqual(record.signers, []);
    assert.ok(!world.server.paths().some((path) => path.endsWith(".asc")));
  });
});

describe("importImage: signatures (DISC-9)", () => {
  it("no signature: SIGNATURE_MISSING, and the image is not downloaded", async () => {
    await world.publish(web, { key: "none" });
    await refused(
      reference,
      fails("SIGNATURE_MISSING", /example\.com\/web has no signature/, { hint: /insecure-options=image/ }),
    );
    assert.ok(world.server.requests.every(({ method, path }) => method === "HEAD" || !path.endsWith(".aci")));
    const { path } = await world.writeImage("unsigned.aci", web, "none");
    await refused(path, fails("SIGNATURE_MISSING", /unsigned\.aci/, { hint: /perigee sign/ }));
  });

  it("no image at all: NOT_FOUND, not a missing signature", async () => {
    await refused(reference, fails("NOT_FOUND", /no such image: example\.com\/web/));
    await refused(join(world.directory, "none.aci"), fails("NOT_FOUND", /none\.aci/));
    await refused("https://example.com/none.aci", fails("NOT_FOUND", /none\.aci/));
  });

  it("T-S03: a key nobody trusts: KEY_UNTRUSTED, and the image is not downloaded", async () => {
    await world.publish(web, { key: stranger });
    await refused(
      reference,
      fails("KEY_UNTRUSTED", /example\.com\/web/, { hint: /perigee trust --prefix example\.com\/web/ }),
    );
    assert.ok(!world.server.paths().some((path) => path.endsWith(".aci")));
  });

  it("T-S16: a key trusted for another name does not count, whatever way the image comes", async () => {
    await storeTrustedKey(join(world.directory, "config"), { prefix: "example.org" }, stranger.armored);
    await world.publish(web, { key: stranger });
    await refused(reference, fails("KEY_UNTRUSTED"));
    const { path } = await world.writeImage("web.aci", web, stranger);
    await refused(path, fails("KEY_UNTRUSTED", /example\.com\/web/));
    await refused(`https://example.com${world.pathOf(web.name, web.version)}`, fails("KEY_UNTRUSTED"));
  });

  it("T-S04: the signature of another image: SIGNATURE_BAD", async () => {
    await world.publish(web);
    const other = makeImage({ ...web, content: "other" });
    world.server.on(`${world.pathOf(web.name, web.version)}.asc`, { body: await craft(world.key, other.bytes) });
    await refused(reference, fails("SIGNATURE_BAD"));
  });

  it("one changed byte of the archive: SIGNATURE_BAD", async () => {
    // Long enough for the manifest, and so the name, to be read before the damage.
    const content = randomBytes(4 * 1024 * 1024).toString("latin1");
    const { path, bytes } = await world.writeImage("web.aci", { ...web, content });
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    writeFileSync(path, bytes);
    await refused(path, fails("SIGNATURE_BAD"));
  });

  it("nothing is parsed or unpacked before the signature is good", async () => {
    const path = world.pathOf(web.name, web.version);
    await world.publish(web);
    world.server.on(path, { body: "neither signed nor an archive" });
    await refused(reference, fails("SIGNATURE_BAD"));
  });

  it("a signature that is none: SIGNATURE_INVALID", async () => {
    await world.publish(web);
    world.server.on(`${world.pathOf(web.name, web.version)}.asc`, { body: "<html>Not found</html>" });
    await refused(reference, fails("SIGNATURE_INVALID"));
  });

  it("--signature names another file", async () => {
    const { path, bytes } = await world.writeImage("web.aci", web, "none");
    const signature = join(world.directory, "elsewhere.sig");
    writeFileSync(signature, await craft(world.key, bytes));
    const { fetchClosure } = await import("../../src/fetch/closure.ts");
    const requests = [{ reference: { kind: "file", path }, signature }] as const;
    const [record] = await fetchClosure(world.context(), requests, "update");
    assert.equal(record?.signers.length, 1);
  });
});

describe("importImage: a signature that is made later (202)", () => {
  const asc = () => `${world.pathOf(web.name, web.version)}.asc`;

  it("is asked for once more behind the image, and verified over the staged bytes", async () => {
    const { bytes } = await world.publish(web);
    const body = await craft(world.key, bytes);
    world.server.on(asc(), (count) => (count === 1 ? { status: 202 } : { body }));
    assert.equal((await world.fetch(reference)).signers.length, 1);
    const path = world.pathOf(web.name, web.version);
    assert.deepEqual(world.server.paths().slice(-3), [asc(), path, asc()]);
  });

  it("202 again is a missing signature; a stranger's does not count", async () => {
    const { bytes } = await world.publish(web);
    world.server.on(asc(), { status: 202 });
    await refused(reference, fails("SIGNATURE_MISSING"));
    const body = await craft(stranger, bytes);
    world.server.on(asc(), (count) => (count % 2 === 1 ? { status: 202 } : { body }));
    await refused(reference, fails("KEY_UNTRUSTED"));
  });
});

describe("importImage: what is refused although it is signed", () => {
  it("DISC-10, T-S30: another name than the one asked for, also without signatures", async () => {
    await world.publish({ ...web, name: "example.com/other" }, { as: web.name });
    await refused(reference, fails("NAME_MISMATCH", /example\.com\/other/));
    await refused(reference, fails("NAME_MISMATCH"), { insecure: { image: true, http: false } });
  });

  it("DISC-10: other labels than those asked for", async () => {
    const labels = [{ name: "os", value: "linux" }];
    const image = makeImage({ name: web.name, version: "0.9", labels });
    const path = world.pathOf(web.name, web.version);
    world.server.on(path, { body: image.bytes });
    world.server.on(`${path}.asc`, { body: await craft(world.key, image.bytes) });
    await refused(reference, fails("NAME_MISMATCH", /version=1\.0 was asked for, its manifest says version=0\.9/));
  });

  it("an image without os and arch runs anywhere", async () => {
    await world.publish({ ...web, labels: [] });
    assert.equal((await world.fetch(reference)).labels.length, 1);
  });

  it("an archive that is none, a damaged one, one without a manifest", async () => {
    const path = world.pathOf(web.name, web.version);
    const whole = makeImage(web).bytes;
    for (const body of [
      Buffer.from("no archive"),
      whole.subarray(0, whole.length - 30),
      gzipSync(Buffer.alloc(1024)),
    ]) {
      world.server.on(path, { body });
      world.server.on(`${path}.asc`, { body: await craft(world.key, body) });
      await refused(
        reference,
        (error) => error instanceof Error && /ARCHIVE_INVALID|IMAGE_INVALID/.test(`${Reflect.get(error, "code")}`),
      );
    }
  });

  it("tells what it does", async () => {
    await world.publish(web);
    const log = keepingLog();
    await world.fetch(reference, "update", { log });
    assert.ok(log.messages.some((message) => /^fetching https:\/\/example\.com/.test(message)));
    assert.ok(log.messages.includes(`unpacking ${web.name}`));
  });
});
