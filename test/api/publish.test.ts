import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { before, beforeEach, describe, it } from "node:test";
import { publishImages } from "../../src/api/publish.ts";
import { sha512 } from "../../src/base/digest.ts";
import { silentLog } from "../../src/base/log.ts";
import { readDiscoveryTags } from "../../src/fetch/meta.ts";
import { FileLock } from "../../src/shim/flock.ts";
import { armor } from "../../src/trust/armor.ts";
import { storeSecretKey } from "../../src/trust/key-directory.ts";
import { describeKeys } from "../../src/trust/keys.ts";
import { makeArchive } from "../helpers/images.ts";
import { craft, failure, type MadeKey, makeKey, now, settingsIn, temporary } from "../helpers/trust.ts";

const path = temporary();
let mine: MadeKey;
let team: MadeKey;
let warnings: string[] = [];

const settings = () => settingsIn(path(), { log: { ...silentLog, warn: (message) => warnings.push(message) } });

function publish(images: readonly string[], keys: readonly string[] = []) {
  return publishImages(settings(), {
    images: images.map((name) => path(name)),
    out: path("site"),
    url: "https://example.com",
    keys,
    now,
  });
}

/** An image file, signed by `keys` if any. */
async function image(
  file: string,
  keys: readonly MadeKey[],
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const all = { version: "1.0.0", os: "linux", arch: "amd64", ...labels };
  const list = Object.entries(all).map(([name, value]) => ({ name, value }));
  const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/web", labels: list };
  const archive = await makeArchive(Buffer.from(JSON.stringify(manifest)), []);
  writeFileSync(path(file), archive);
  const [key] = keys;
  if (key === undefined) rmSync(path(`${file}.asc`), { force: true });
  else writeFileSync(path(`${file}.asc`), await craft(key, archive));
}

before(async () => {
  [mine, team] = await Promise.all([makeKey(), makeKey()]);
  await storeSecretKey(
    path("user", "keys"),
    mine.fingerprint,
    Buffer.from(armor("PRIVATE KEY BLOCK", mine.key.write())),
  );
  writeFileSync(path("team.asc"), team.armored);
});
beforeEach(() => {
  rmSync(path("site"), { recursive: true, force: true });
  warnings = [];
});

const keysOnPage = async (): Promise<readonly string[]> => {
  const { keys } = await readDiscoveryTags(readFileSync(path("site", "web", "index.html"), "utf8"));
  return keys.map(({ url }) => url);
};

describe("publishImages", () => {
  it("SBOM-8: takes the bill of materials that the image names, and no other", async () => {
    const bill = Buffer.from('{"bill": 1}');
    const annotations = [{ name: "perigee/sbom-spdx", value: `sha512-${sha512(bill)}` }];
    const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/web", annotations };
    writeFileSync(path("bill.aci"), await makeArchive(Buffer.from(JSON.stringify(manifest)), []));
    writeFileSync(path("bill.aci.spdx.json"), bill);
    writeFileSync(path("bill.aci.cdx.json"), "nobody names this");
    const { images } = await publish(["bill.aci"]);
    const file = path("site", images[0]?.file ?? "");
    assert.deepEqual(readFileSync(`${file}.spdx.json`), bill);
    assert.ok(!existsSync(`${file}.cdx.json`));
    writeFileSync(path("bill.aci.spdx.json"), "changed");
    warnings = [];
    await publish(["bill.aci"]);
    assert.ok(!existsSync(`${file}.spdx.json`));
    assert.match(warnings.join("\n"), /bill\.aci\.spdx\.json is not the one that the image names/);
  });

  it("DISC-3: publishes the public part of the caller's key that signed, and no secret", async () => {
    await image("a.aci", [mine]);
    const { images } = await publish(["a.aci"]);
    assert.deepEqual(
      images.map(({ name, version, isSigned }) => [name, version, isSigned]),
      [["example.com/web", "1.0.0", true]],
    );
    assert.deepEqual(await keysOnPage(), [`https://example.com/keys/${mine.fingerprint}.asc`]);
    const key = readFileSync(path("site", "keys", `${mine.fingerprint}.asc`));
    assert.doesNotMatch(String(key), /PRIVATE/);
    const [info] = await describeKeys(key, now);
    assert.deepEqual([info?.fingerprint, info?.hasSecret], [mine.fingerprint, false]);
    assert.deepEqual(warnings, []);
  });

  it("a key of somebody else comes from a file; keys that signed nothing are not published", async () => {
    await image("a.aci", [team]);
    await publish(["a.aci"], [path("team.asc")]);
    assert.deepEqual(await keysOnPage(), [`https://example.com/keys/${team.fingerprint}.asc`]);
    assert.deepEqual(readdirSync(path("site", "keys")), [`${team.fingerprint}.asc`]);
  });

  it("warns of an image without a signature, and of one whose key is not at hand", async () => {
    await image("a.aci", []);
    await image("b.aci", [team], { version: "2.0.0" });
    const { images } = await publish(["a.aci", "b.aci"]);
    assert.deepEqual(
      images.map(({ isSigned }) => isSigned),
      [false, true],
    );
    assert.deepEqual(await keysOnPage(), []);
    assert.match(warnings[0] ?? "", /a\.aci is not signed/);
    assert.match(warnings[1] ?? "", /b\.aci: .*--key FILE/);
  });

  it("T-S13: a signature of other bytes is not published, and nothing else either", async () => {
    await image("good.aci", [mine]);
    await image("a.aci", [mine], { version: "2.0.0" });
    writeFileSync(path("a.aci.asc"), readFileSync(path("good.aci.asc")));
    await assert.rejects(publish(["good.aci", "a.aci"]), failure("SIGNATURE_BAD", /./));
    assert.equal(existsSync(path("site")), false);
  });

  it("says what is missing or no image", async () => {
    await image("a.aci", [mine]);
    await assert.rejects(publish(["missing.aci"]), failure("NOT_FOUND", /missing\.aci/));
    await assert.rejects(publish(["a.aci"], [path("missing.asc")]), failure("NOT_FOUND", /missing\.asc/));
    await assert.rejects(publish(["team.asc"]), failure("ARCHIVE_INVALID", /./));
    assert.equal(existsSync(path("site")), false);
  });

  it("waits for another that publishes there", async () => {
    await image("a.aci", [mine]);
    await publish(["a.aci"]);
    const lock = FileLock.open(path("site"), "exclusive");
    const controller = new AbortController();
    const log = { ...silentLog, info: () => controller.abort() };
    const waiting = publishImages(settingsIn(path(), { log }), {
      images: [path("a.aci")],
      out: path("site"),
      url: "https://example.com",
      now,
      signal: controller.signal,
    });
    await assert.rejects(waiting, failure("INTERRUPTED", /site/));
    lock?.release();
  });
});
