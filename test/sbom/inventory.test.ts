import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageFile } from "../../src/sbom/collect.ts";
import { takeInventory } from "../../src/sbom/inventory.ts";
import { purlOf } from "../../src/sbom/purl.ts";
import { imageFiles } from "../helpers/sbom.ts";

type Files = readonly (readonly [string, string | Partial<ImageFile>])[];

async function inventory(files: Files) {
  let passes = 0;
  const result = await takeInventory(async (visit) => {
    passes += 1;
    await visit(imageFiles(files));
  });
  return { ...result, passes, purls: result.packages.map(purlOf) };
}

const osRelease = ["etc/os-release", "ID=debian\nVERSION_ID=12\n"] as const;
const dpkg = (names: readonly string[]) =>
  names.map((name) => `Package: ${name}\nVersion: 1\nArchitecture: all\n`).join("\n");
const npm = (name: string, version = "1.0.0", more: object = {}) => JSON.stringify({ name, version, ...more });

describe("takeInventory (SBOM-3)", () => {
  it("sorts by purl, with the distribution of the image", async () => {
    const { purls, distribution, passes } = await inventory([
      ["node_modules/z/package.json", npm("z")],
      ["var/lib/dpkg/status", dpkg(["b", "a"])],
      osRelease,
    ]);
    assert.deepEqual(purls, [
      "pkg:deb/debian/a@1?arch=all&distro=debian-12",
      "pkg:deb/debian/b@1?arch=all&distro=debian-12",
      "pkg:npm/z@1.0.0",
    ]);
    assert.deepEqual([distribution?.id, passes], ["debian", 1]);
  });
  it("the order of the files is of no matter", async () => {
    const files: Files = [
      osRelease,
      ["usr/lib/os-release", "ID=other"],
      ["usr/share/doc/a/copyright", "/usr/share/common-licenses/GPL-2"],
      ["var/lib/dpkg/status", dpkg(["a"])],
      ["x/node_modules/c/package.json", npm("c")],
      ["y/node_modules/c/package.json", npm("c")],
    ];
    assert.deepEqual(await inventory(files), await inventory(files.toReversed()));
  });
  it("gives licences also through the links between directories of documents", async () => {
    const { packages } = await inventory([
      ["usr/share/doc/data/copyright", "/usr/share/common-licenses/GPL-2"],
      ["usr/share/doc/liba", { type: "symlink", link: Buffer.from("data") }],
      ["usr/share/doc/libb", { type: "symlink", link: Buffer.from("../../etc") }],
      ["var/lib/dpkg/status", dpkg(["liba", "libb", "data"])],
    ]);
    assert.deepEqual(
      packages.map(({ name, licence }) => [name, licence]),
      [
        ["data", "GPL-2"],
        ["liba", "GPL-2"],
        ["libb", undefined],
      ],
    );
  });
  it("one entry for a package, with all of its places", async () => {
    const { packages } = await inventory([
      ["b/node_modules/a/package.json", npm("a")],
      ["a/node_modules/a/package.json", npm("a", "1.0.0", { license: "MIT" })],
    ]);
    assert.deepEqual(
      packages.map(({ licence, places }) => [licence, places]),
      [["MIT", ["a/node_modules/a/package.json", "b/node_modules/a/package.json"]]],
    );
  });
  it("takes digests from lockfiles, and packages only where none is installed", async () => {
    const integrity = `sha512-${Buffer.alloc(64, 1).toString("base64")}`;
    const lock = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages });
    const { packages } = await inventory([
      ["app/node_modules/a/package.json", npm("a")],
      ["app/node_modules/old/package.json", npm("old", "2.0.0")],
      [
        "app/package-lock.json",
        lock({
          "node_modules/a": { version: "1.0.0", integrity },
          "node_modules/old": { version: "1.0.0", integrity },
          "node_modules/gone": { version: "1.0.0" },
        }),
      ],
      ["bundle/package-lock.json", lock({ "node_modules/inside": { version: "3.0.0", integrity } })],
      ["app/node_modules/.package-lock.json", "{"],
    ]);
    assert.deepEqual(
      packages.map(({ name, version, sha512, places }) => [name, version, sha512?.slice(0, 4), places[0]]),
      [
        ["a", "1.0.0", "0101", "app/node_modules/a/package.json"],
        ["inside", "3.0.0", "0101", "bundle/package-lock.json"],
        ["old", "2.0.0", undefined, "app/node_modules/old/package.json"],
      ],
    );
  });
  it("reads again only when there are hard links", async () => {
    const { purls, passes, problems } = await inventory([
      ["store/x", npm("a")],
      ["node_modules/a/package.json", { type: "hardlink", link: Buffer.from("store/x") }],
      ["package-lock.json", "["],
    ]);
    assert.deepEqual([purls, passes], [["pkg:npm/a@1.0.0"], 2]);
    assert.match(problems[0] ?? "", /^package-lock\.json is not valid JSON/);
  });
  it("an empty image has nothing", async () => {
    assert.deepEqual(await inventory([]), {
      distribution: undefined,
      packages: [],
      problems: [],
      passes: 1,
      purls: [],
    });
  });
});
