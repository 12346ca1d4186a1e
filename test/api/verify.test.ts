import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { verifyImage } from "../../src/api/verify.ts";
import { Failure } from "../../src/base/failure.ts";
import { makeArchive } from "../helpers/images.ts";
import {
  craft,
  day,
  failure,
  type MadeKey,
  makeKey,
  now,
  settingsIn,
  temporary,
  trust,
  warnings,
} from "../helpers/trust.ts";

describe("verifyImage", () => {
  const path = temporary();
  const manifest = (name: string) =>
    Buffer.from(JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name }));
  let key: MadeKey;
  let archive: Buffer;
  before(async () => {
    key = await makeKey();
    const noise = Array.from({ length: 200 }, (_, index) => ({
      path: `file${index}`,
      content: "x".repeat(9000),
    }));
    archive = gzipSync(await makeArchive(manifest("example.com/web"), noise), { level: 0 });
  });
  /** An image file and its signature, by a key that the user trusts for example.com. */
  const prepared = async (bytes = archive, signer = key) => {
    const directory = mkdtempSync(path("case-"));
    const { log, heard } = warnings();
    const settings = settingsIn(directory, { log });
    await trust(settings.directories.userConfig, signer);
    const image = join(directory, "web.aci");
    writeFileSync(image, bytes);
    writeFileSync(`${image}.asc`, await craft(signer, bytes));
    return { directory, settings, image, heard };
  };

  it("takes the name from the manifest and tells who signed", async () => {
    const { settings, image } = await prepared();
    const verified = await verifyImage(settings, { image, now });
    assert.equal(verified.name, "example.com/web");
    assert.equal(verified.signature, `${image}.asc`);
    assert.deepEqual(
      verified.signers.map(({ fingerprint, scope, signedAt }) => ({ fingerprint, scope, signedAt })),
      [{ fingerprint: key.fingerprint, scope: "example.com", signedAt: new Date(now.getTime() - day) }],
    );
  });

  it("names what a file says it is in the way out", async () => {
    const { image, settings } = await prepared();
    const nobody = {
      ...settings,
      directories: { ...settings.directories, localConfig: "/nonexistent", userConfig: "/nonexistent" },
    };
    await assert.rejects(verifyImage(nobody, { image, now }), (error: unknown) => {
      assert.ok(error instanceof Failure && error.code === "KEY_UNTRUSTED");
      assert.match(error.hint ?? "", /^perigee trust --prefix example\.com\/[a-z]+$/);
      return true;
    });
  });

  it("T-S27: follows masks of higher directories", async () => {
    const { settings, image } = await prepared();
    await trust(settings.directories.systemConfig, key);
    writeFileSync(join(settings.directories.userConfig, "trustedkeys", "prefix.d", "example.com", key.fingerprint), "");
    await assert.rejects(verifyImage(settings, { image, now }), failure("KEY_UNTRUSTED", /none/));
  });

  it("T-S29: hashes every byte, also those behind the manifest", async () => {
    const { settings, image } = await prepared();
    const changed = Buffer.from(archive);
    const last = changed.length - 20;
    changed[last] = (changed[last] ?? 0) ^ 1;
    writeFileSync(image, changed);
    await assert.rejects(verifyImage(settings, { image, now }), failure("SIGNATURE_BAD", /not of these bytes/));
    writeFileSync(image, Buffer.concat([archive, Buffer.from("tail")]));
    await assert.rejects(verifyImage(settings, { image, now }), failure("SIGNATURE_BAD", /not of these bytes/));
  });

  it("TRUST-16, T-S30: refuses an image with another name than the one asked for", async () => {
    const { settings, image } = await prepared();
    assert.equal((await verifyImage(settings, { image, name: "example.com/web", now })).name, "example.com/web");
    await assert.rejects(
      verifyImage(settings, { image, name: "example.com/db", now }),
      failure("NAME_MISMATCH", /web, not example\.com\/db/),
    );
    await assert.rejects(verifyImage(settings, { image, name: "example.org/web", now }), failure("KEY_UNTRUSTED", /./));
  });

  it("says the signature is bad before it says the archive is broken, when the name is known", async () => {
    const { settings, image } = await prepared();
    writeFileSync(image, "not an archive");
    await assert.rejects(verifyImage(settings, { image, name: "example.com/web", now }), failure("SIGNATURE_BAD", /./));
    await assert.rejects(verifyImage(settings, { image, now }), failure("ARCHIVE_INVALID", /./));
  });

  it("says what is broken of a well-signed archive", async () => {
    const { settings, image } = await prepared(Buffer.from("not an archive"));
    await assert.rejects(
      verifyImage(settings, { image, name: "example.com/web", now }),
      failure("ARCHIVE_INVALID", /./),
    );
  });

  it("tells a missing signature from a missing file", async () => {
    const { directory, settings, image } = await prepared();
    writeFileSync(join(directory, "unsigned.aci"), archive);
    await assert.rejects(
      verifyImage(settings, { image: join(directory, "unsigned.aci"), now }),
      failure("SIGNATURE_MISSING", /no signature/),
    );
    await assert.rejects(
      verifyImage(settings, { image, signature: path("no.asc"), now }),
      failure("NOT_FOUND", /no\.asc/),
    );
    await assert.rejects(verifyImage(settings, { image: path("no.aci"), now }), failure("NOT_FOUND", /no\.aci/));
    const elsewhere = join(directory, "unsigned.aci");
    assert.equal((await verifyImage(settings, { image: elsewhere, signature: `${image}.asc`, now })).signers.length, 1);
  });

  it("T-S05: passes on the warning about a short key", async () => {
    const { settings, image, heard } = await prepared(archive, await makeKey({ rsaBits: 2048 }));
    await verifyImage(settings, { image, now });
    assert.match(heard.join("\n"), /2048 bits is short/);
  });
});
