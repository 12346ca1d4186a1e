import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isUnreadable, readPackageJson, readPackageLock } from "../../src/sbom/npm.ts";
import { fails } from "../helpers/failures.ts";

const place = "app/node_modules/a/package.json";
const read = (value: object) => readPackageJson(Buffer.from(JSON.stringify(value)), place);

describe("readPackageJson (SBOM-2)", () => {
  it("says of a package what is written of it", () => {
    const found = read({
      name: "@scope/a",
      version: "1.2.3-rc.1+x",
      license: "MIT",
      author: "A B <a@example.com> (https://example.com)",
      homepage: "https://example.com/a",
      description: "An a",
    });
    assert.deepEqual(found, {
      type: "npm",
      namespace: "@scope",
      name: "a",
      version: "1.2.3-rc.1+x",
      licence: "MIT",
      supplier: "A B <a@example.com>",
      homepage: "https://example.com/a",
      description: "An a",
      places: [place],
    });
  });
  it("reads what old packages wrote", () => {
    const old = { name: "a", version: "1.0.0", author: { name: "A", email: "a@example.com" } };
    assert.equal(read(old)?.supplier, "A <a@example.com>");
    assert.equal(read({ ...old, license: { type: "MIT", url: "x" } })?.licence, "MIT");
    assert.equal(read({ ...old, licenses: [{ type: "MIT" }, { type: "ISC" }] })?.licence, "MIT OR ISC");
    assert.equal(read({ ...old, license: { url: "x" } })?.licence, undefined);
  });
  it("passes over what is no package", () => {
    for (const value of [
      {},
      [],
      { name: "a" },
      { type: "module" },
      { name: "../a", version: "1.0.0" },
      { name: "a", version: "next" },
      { name: "a".repeat(215), version: "1.0.0" },
      { name: 1, version: "1.0.0" },
    ]) {
      assert.equal(read(value), undefined, JSON.stringify(value));
    }
  });
  it("refuses what is no JSON, as a thing that can be told", () => {
    assert.throws(() => readPackageJson(Buffer.from("{"), place), fails("JSON_INVALID", /node_modules\/a/));
    try {
      readPackageJson(Buffer.from("["), place);
      assert.fail();
    } catch (error) {
      assert.ok(isUnreadable(error));
    }
    assert.ok(!isUnreadable(new Error("x")));
  });
});

describe("readPackageLock (SBOM-2)", () => {
  const lock = (packages: object) =>
    readPackageLock(Buffer.from(JSON.stringify({ lockfileVersion: 3, packages })), "package-lock.json");
  const digest = Buffer.alloc(64, 5);

  it("lists what is used, with digest and licence", () => {
    const [first, ...others] = lock({
      "": { name: "root", version: "1.0.0" },
      "node_modules/a": {
        version: "1.0.0",
        resolved: "x",
        integrity: `sha1-x sha512-${digest.toString("base64")}`,
        license: "ISC",
      },
      "node_modules/a/node_modules/@s/b": { version: "2.0.0", optional: true },
      "node_modules/alias": { name: "real", version: "1.0.0" },
      "node_modules/dev": { version: "1.0.0", dev: true },
      "node_modules/link": { link: true, resolved: "packages/link" },
      "packages/link": { version: "1.0.0" },
    });
    assert.deepEqual(
      [first?.path, first?.found.licence, first?.found.sha512],
      ["node_modules/a", "ISC", digest.toString("hex")],
    );
    assert.deepEqual(
      others.map(({ found }) => [found.namespace, found.name]),
      [
        ["@s", "b"],
        [undefined, "real"],
      ],
    );
  });
  it("is nothing for version 1, which names no places, and for other shapes", () => {
    assert.deepEqual(readPackageLock(Buffer.from('{"lockfileVersion": 1, "dependencies": {"a": {}}}'), "x"), []);
    assert.deepEqual(lock({ "node_modules/a": null, "node_modules/b": { version: 1 } }), []);
    assert.deepEqual(readPackageLock(Buffer.from("[]"), "x"), []);
  });
});
