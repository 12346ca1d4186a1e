import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { before, beforeEach, describe, it } from "node:test";
import { type PublishOptions, publishImages } from "../../src/api/publish.ts";
import { sha512 } from "../../src/base/digest.ts";
import { type Progress, silentLog } from "../../src/base/log.ts";
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

  /** Until the kernel's clock has moved on, so that the times of files tell something (SITE-4). */
  const settle = () => new Promise((resolve) => setTimeout(resolve, 150));
  /** Bytes that were read of images by one publish. */
  async function bytesRead(images: readonly string[], options: Partial<PublishOptions> = {}): Promise<number> {
    let read = 0;
    const log = {
      ...silentLog,
      progress: ({ done = 0, finished }: Progress) => (read += finished === true ? done : 0),
    };
    await publishImages(settingsIn(path(), { log }), {
      images: images.map((name) => path(name)),
      out: path("site"),
      url: "https://example.com",
      now,
      ...options,
    });
    return read;
  }

  it("SITE-4: what has not changed is not read again, until its time, its signature or a key changes", async () => {
    await image("a.aci", [mine]);
    await settle();
    assert.ok((await bytesRead(["a.aci"])) > 0);
    assert.equal(await bytesRead(["a.aci"]), 0);
    assert.ok((await bytesRead(["a.aci"], { recheck: true })) > 0);
    assert.equal(await bytesRead(["a.aci"]), 0);
    assert.ok((await bytesRead(["a.aci"], { keys: [path("team.asc")] })) > 0, "another key could be a signer");
    assert.ok((await bytesRead(["a.aci"])) > 0);
    writeFileSync(path("a.aci"), readFileSync(path("a.aci")));
    await settle();
    assert.ok((await bytesRead(["a.aci"])) > 0, "written again");
    assert.equal(await bytesRead(["a.aci"]), 0);
    writeFileSync(path("a.aci.asc"), readFileSync(path("a.aci.asc")));
    await settle();
    assert.ok((await bytesRead(["a.aci"])) > 0, "its signature was written again");
  });

  it("SITE-4: what somebody changed in the site is put right", async () => {
    await image("a.aci", [mine]);
    await settle();
    const { images } = await publish(["a.aci"]);
    const file = path("site", images[0]?.file ?? "");
    for (const suffix of ["", ".asc", ".json", ".html"]) {
      const good = readFileSync(`${file}${suffix}`);
      writeFileSync(`${file}${suffix}`, "damaged");
      await publish(["a.aci"]);
      assert.deepEqual(readFileSync(`${file}${suffix}`), good, suffix);
      rmSync(`${file}${suffix}`);
      await publish(["a.aci"]);
      assert.deepEqual(readFileSync(`${file}${suffix}`), good, `${suffix} removed`);
    }
  });

  it("SITE-6: the facts of an image lie beside it", async () => {
    await image("a.aci", [mine]);
    const { images } = await publish(["a.aci"]);
    const facts = JSON.parse(readFileSync(path("site", `${images[0]?.file}.json`), "utf8"));
    assert.equal(facts.manifest.name, "example.com/web");
    assert.deepEqual(
      facts.signatures.map(({ fingerprint }: { fingerprint: string }) => fingerprint),
      [mine.fingerprint],
    );
    assert.match(facts.signatures[0].signedAt, /^\d{4}-\d\d-\d\dT/);
  });

  it("a directory stands for its images; one without is refused", async () => {
    mkdirSync(path("images"));
    await image("images/a.aci", [mine]);
    await image("images/b.aci", [mine], { version: "2.0.0" });
    writeFileSync(path("images", "notes.txt"), "");
    const { images } = await publish(["images"]);
    assert.deepEqual(
      images.map(({ version }) => version),
      ["1.0.0", "2.0.0"],
    );
    mkdirSync(path("empty"));
    await assert.rejects(publish(["empty"]), failure("NOT_FOUND", /empty has no images/));
  });

  it("keys of the site count: who publishes again need not have the key of who published first", async () => {
    await image("a.aci", [team]);
    await publish(["a.aci"], [path("team.asc")]);
    writeFileSync(path("a.aci"), readFileSync(path("a.aci")));
    const { images } = await publish(["a.aci"]);
    assert.equal(images[0]?.change, "unchanged");
    assert.deepEqual(await keysOnPage(), [`https://example.com/keys/${team.fingerprint}.asc`]);
    assert.deepEqual(warnings, []);
  });

  it("a damaged image is refused though its signature is good", async () => {
    await image("a.aci", []);
    const cut = readFileSync(path("a.aci")).subarray(0, -1030);
    writeFileSync(path("a.aci"), cut);
    writeFileSync(path("a.aci.asc"), await craft(mine, cut));
    await assert.rejects(publish(["a.aci"]), failure("ARCHIVE_INVALID", /./));
  });

  it("publishes at the same time, also the first: both are in the site", async () => {
    await image("a.aci", [mine]);
    await image("b.aci", [mine], { version: "2.0.0" });
    await Promise.all([publish(["a.aci"]), publish(["b.aci"])]);
    const catalogue = JSON.parse(readFileSync(path("site", "site.json"), "utf8"));
    assert.deepEqual(
      catalogue.images.map(({ version }: { version: string }) => version),
      ["1.0.0", "2.0.0"],
    );
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
