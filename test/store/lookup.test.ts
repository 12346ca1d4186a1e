import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Log, silentLog } from "../../src/base/log.ts";
import { manifestPath, openStore, recordPath, type Store } from "../../src/store/layout.ts";
import {
  findImageSync,
  listRecordsSync,
  matchingRecordsSync,
  readManifestSync,
  readRecordSync,
  renderFacts,
  resolveImageIdSync,
} from "../../src/store/lookup.ts";
import { encodeSelfChecking } from "../../src/store/records.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId, importImage, sha512 } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const newStore = async (t: TestContext): Promise<Store> => openStore(await temporaryDirectory(t));
const label = (name: string, value: string) => ({ name, value });

function collecting(): { readonly log: Log; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { log: { ...silentLog, warn: (text) => warnings.push(text) }, warnings };
}

describe("listing", () => {
  it("is empty for a new store", async (t) => {
    assert.deepEqual(listRecordsSync(await newStore(t)), []);
  });

  it("I3: passes over torn, foreign and odd files with a warning each, and lists the rest", async (t) => {
    const store = await newStore(t);
    const whole = await importImage(store, { name: "example.com/whole" });
    const torn = await importImage(store, { name: "example.com/torn" });
    const bytes = await readFile(recordPath(store, torn.id));
    await writeFile(recordPath(store, torn.id), bytes.subarray(0, bytes.length / 2));
    await writeFile(recordPath(store, fakeId("empty")), "");
    await writeFile(recordPath(store, fakeId("foreign")), await readFile(recordPath(store, whole.id)));
    await mkdir(recordPath(store, fakeId("directory")));
    spawnSync("mkfifo", [recordPath(store, fakeId("fifo"))]);
    await symlink("/etc/passwd", recordPath(store, fakeId("link")));
    await writeFile(`${store.root}/index/README.json`, "not a record");
    const { log, warnings } = collecting();
    assert.deepEqual(
      listRecordsSync(store, log).map((record) => record.name),
      ["example.com/whole"],
    );
    assert.equal(warnings.length, 6);
    assert.ok(warnings.every((text) => /broken/.test(text)));
    assert.ok(warnings.some((text) => text.includes(torn.id)));
  });
});

describe("findImage", () => {
  it("asks for the whole name and at least the labels given", async (t) => {
    const store = await newStore(t);
    const web = await importImage(store, { name: "example.com/web", version: "1.0", labels: [label("os", "linux")] });
    await importImage(store, { name: "example.com/web2", version: "1.0" });
    assert.equal(findImageSync(store, "example.com/web", [])?.id, web.id);
    assert.equal(findImageSync(store, "example.com/web", [label("version", "1.0"), label("os", "linux")])?.id, web.id);
    assert.equal(findImageSync(store, "example.com/web", [label("os", "darwin")]), undefined);
    assert.equal(findImageSync(store, "example.com/web", [label("arch", "amd64")]), undefined);
    assert.equal(findImageSync(store, "example.com", []), undefined);
  });

  it("without a version the one asked for as latest wins, then the newest import", async (t) => {
    const store = await newStore(t);
    const name = "example.com/web";
    const first = await importImage(store, { name, version: "1.0", latest: true });
    const second = await importImage(store, { name, version: "2.0" });
    assert.equal(findImageSync(store, name, [])?.id, first.id);
    assert.equal(findImageSync(store, name, [label("version", "2.0")])?.id, second.id);
    const third = await importImage(store, { name, version: "3.0", latest: true });
    assert.equal(findImageSync(store, name, [])?.id, third.id);
    assert.deepEqual(
      matchingRecordsSync(store, name, []).map((record) => record.id),
      [third.id, first.id, second.id],
    );
  });

  it("one that somebody vouched for wins over an unsigned one, whatever came later", async (t) => {
    const store = await newStore(t);
    const name = "example.com/web";
    const signers = [{ fingerprint: "a".repeat(40), keyDigest: "b".repeat(128), signedAt: "2026-01-01T00:00:00Z" }];
    const signed = await importImage(store, { name, version: "1.0", signers });
    const unsigned = await importImage(store, { name, version: "2.0", latest: true });
    assert.equal(findImageSync(store, name, [])?.id, signed.id);
    assert.equal(findImageSync(store, name, [label("version", "2.0")])?.id, unsigned.id);
  });

  it("never finds a broken record", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    const text = await readFile(recordPath(store, id), "utf8");
    await writeFile(recordPath(store, id), text.replace("/images/test.aci", "/images/best.aci"));
    assert.equal(findImageSync(store, "example.com/web", []), undefined);
    assert.equal(readRecordSync(store, id), undefined);
  });
});

describe("resolveImageId (T-D13)", () => {
  it("takes eight digits and more, with or without sha512-", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    for (const prefix of [id, id.slice(0, 15), id.slice(7, 15), id.slice(7)]) {
      assert.equal(resolveImageIdSync(store, prefix), id);
    }
  });

  it("refuses shorter ones, other letters and other hashes", async (t) => {
    const store = await newStore(t);
    for (const prefix of [
      "sha512-ab",
      "a",
      "sha512-",
      "ABCDEF01",
      "sha256-01234567",
      "../../etc",
      `${"a".repeat(129)}`,
    ]) {
      assert.throws(() => resolveImageIdSync(store, prefix), fails("USAGE", /8 to 128/), prefix);
    }
  });

  it("names every candidate of an ambiguous prefix", async (t) => {
    const store = await newStore(t);
    const digits = sha512("x");
    const twin = `sha512-${digits.slice(0, 127)}${digits.at(-1) === "0" ? "1" : "0"}` as ReturnType<typeof fakeId>;
    await importImage(store, { name: "example.com/one", version: "1", id: fakeId("x") });
    await importImage(store, { name: "example.com/two", id: twin });
    assert.throws(
      () => resolveImageIdSync(store, digits.slice(0, 8)),
      fails("AMBIGUOUS", /2 stored images.*example\.com\/(one:1|two).*example\.com\/(one:1|two)/),
    );
    assert.equal(resolveImageIdSync(store, twin), twin);
  });

  it("says where to look when there is none", async (t) => {
    const store = await newStore(t);
    assert.throws(
      () => resolveImageIdSync(store, "sha512-01234567"),
      fails("NOT_FOUND", /01234567/, { hint: /fetch/ }),
    );
  });
});

describe("readManifest", () => {
  it("gives the bytes as they were", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    assert.equal(JSON.parse(readManifestSync(store, id).toString()).name, "example.com/web");
  });

  it("reads one that is larger than a read", async (t) => {
    const store = await newStore(t);
    for (const size of [16_384, 50_000]) {
      const { id } = await importImage(store, { name: "example.com/web", labels: [label("note", "x".repeat(size))] });
      assert.equal(JSON.parse(readManifestSync(store, id).toString()).labels[0].value.length, size);
      assert.equal(readRecordSync(store, id)?.labels[0]?.value.length, size);
    }
  });

  it("T-D14: refuses a manifest that was changed on the disk", async (t) => {
    const store = await newStore(t);
    const { id } = await importImage(store, { name: "example.com/web" });
    const text = await readFile(manifestPath(store, id), "utf8");
    await writeFile(manifestPath(store, id), text.replace("web", "bad"));
    assert.throws(
      () => readManifestSync(store, id),
      fails("DIGEST_MISMATCH", /changed/, { hint: /perigee store check --repair/ }),
    );
  });

  it("is NOT_FOUND for an image that is not stored or half gone", async (t) => {
    const store = await newStore(t);
    assert.throws(() => readManifestSync(store, fakeId("none")), fails("NOT_FOUND"));
    const { id } = await importImage(store, { name: "example.com/web" });
    await rm(manifestPath(store, id));
    assert.throws(() => readManifestSync(store, id), fails("NOT_FOUND"));
  });
});

describe("renderFacts", () => {
  it("takes null, absent and empty as nothing (ACI-49)", () => {
    for (const text of ["{}", '{"dependencies":null,"pathWhitelist":null}', '{"dependencies":[],"pathWhitelist":[]}']) {
      assert.deepEqual(renderFacts(Buffer.from(text), "x"), { dependencies: [], whitelist: [] });
    }
  });

  it("reads dependencies in order; an empty imageID is none", () => {
    const dependencies = [
      { imageName: "example.com/b", imageID: "sha512-0123456789", labels: [label("version", "1")], size: 3 },
      { imageName: "example.com/c", imageID: "", labels: null },
    ];
    assert.deepEqual(renderFacts(Buffer.from(JSON.stringify({ dependencies })), "x").dependencies, [
      { name: "example.com/b", labels: [label("version", "1")], idPrefix: "sha512-0123456789", size: 3 },
      { name: "example.com/c", labels: [], idPrefix: undefined, size: undefined },
    ]);
  });

  it("refuses what no import would have let in", () => {
    for (const text of ["[]", '{"dependencies":[7]}', '{"dependencies":[{"imageName":7}]}']) {
      assert.throws(() => renderFacts(Buffer.from(text), "x"), fails("MANIFEST_INVALID"));
    }
  });
});

describe("the form of a record", () => {
  it("is not confused by an image whose name holds another's", async (t) => {
    const store = await newStore(t);
    const { record } = JSON.parse(
      encodeSelfChecking({ ...(await importImage(store, { name: "example.com/a" })), source: '"example.com/b"' }),
    );
    await writeFile(recordPath(store, record.id), encodeSelfChecking(record));
    assert.equal(findImageSync(store, "example.com/b", []), undefined);
    assert.equal(findImageSync(store, "example.com/a", [])?.id, record.id);
  });
});

describe("run's hot path", () => {
  /** Everything a compiled module loads at once: its static imports, and theirs. */
  function loadedWith(module: string, found = new Set<string>()): ReadonlySet<string> {
    if (found.has(module)) return found;
    found.add(module);
    for (const [, from = ""] of readFileSync(module, "utf8").matchAll(/^(?:import|export) .*?from "([^"]+)";$/gms)) {
      if (from.startsWith("node:")) continue;
      if (from.startsWith(".")) loadedWith(join(dirname(module), from), found);
      else found.add(from);
    }
    return found;
  }

  it("loads no schema library, no OpenPGP and no archive reader with what it needs of the store", () => {
    const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");
    for (const file of ["layout", "lookup", "trees", "images", "gc"]) {
      const modules = [...loadedWith(join(source, "store", `${file}.js`))];
      assert.ok(modules.length >= 3, file);
      const heavy = modules.filter(
        (module) => !/^\/.*\/src\/((base|shim|store)\/[a-z0-9-]+|schema\/(platform|grammar))\.js$/.test(module),
      );
      assert.deepEqual(heavy, [], file);
    }
  });
});
