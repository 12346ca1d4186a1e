import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collectFiles, collectLinked, type ImageFile, newCollection } from "../../src/sbom/collect.ts";
import { imageFiles } from "../helpers/sbom.ts";

async function collect(files: readonly (readonly [string, string | Partial<ImageFile>])[]) {
  const collection = newCollection();
  await collectFiles(imageFiles(files), collection);
  await collectLinked(imageFiles(files), collection);
  return collection;
}

describe("collectFiles (SBOM-2, SBOM-3)", () => {
  it("reads the files it wants and no other body", async () => {
    const unread = { size: 5, body: { [Symbol.asyncIterator]: () => assert.fail("read") } };
    const { files, problems } = await collect([
      ["etc/passwd", unread],
      ["var/lib/dpkg/status", "x"],
    ]);
    assert.deepEqual(
      files.map(({ kind, place, bytes }) => [kind, place, String(bytes)]),
      [["dpkg", "var/lib/dpkg/status", "x"]],
    );
    assert.equal(problems.size, 0);
  });
  it("never reads more than the limit of a place, and names the file", async () => {
    const { files, problems } = await collect([
      ["etc/os-release", { size: 65_537, body: { [Symbol.asyncIterator]: () => assert.fail("read") } }],
    ]);
    assert.deepEqual([files, [...problems]], [[], ["etc/os-release has 65537 bytes, more than is read"]]);
  });
  it("SBOM-1: follows no link, and names one in the place of a database", async () => {
    const link = { type: "symlink", link: Buffer.from("/etc/shadow") } as const;
    const { files, problems } = await collect([
      ["etc/os-release", link],
      ["usr/share/doc/a/copyright", link],
      ["lib/apk/db/installed", link],
      ["var/lib/rpm/Packages", { type: "fifo" }],
      ["var/lib/rpm/Packages.db", { type: "directory" }],
    ]);
    assert.deepEqual(files, []);
    assert.deepEqual(
      [...problems],
      [
        "lib/apk/db/installed is a symlink, which is not followed",
        "var/lib/rpm/Packages is a fifo, which is not followed",
      ],
    );
  });
  it("reads a hard link under its target, in the second pass", async () => {
    const { packages, files } = await collect([
      ["store/abc", '{"name": "a", "version": "1.0.0"}'],
      ["x/node_modules/a/package.json", { type: "hardlink", link: Buffer.from("store/abc") }],
      ["y/node_modules/a/package.json", { type: "hardlink", link: Buffer.from("store/abc") }],
      ["lib/apk/db/installed", { type: "hardlink", link: Buffer.from("nothing") }],
    ]);
    assert.deepEqual(
      packages.map(({ places }) => places[0]),
      ["x/node_modules/a/package.json", "y/node_modules/a/package.json"],
    );
    assert.deepEqual(files, []);
  });
  it("goes on where a package.json is broken, and shows its name harmless", async () => {
    const { packages, problems } = await collect([
      ["node_modules/a\u001b[2J/package.json", "{"],
      ["node_modules/b/package.json", '{"name": "b", "version": "1.0.0"}'],
    ]);
    assert.deepEqual([packages.length, problems.size], [1, 1]);
    assert.match([...problems][0] ?? "", /^node_modules\/a\\x1b\[2J\/package\.json is not valid JSON at line 1/);
  });
  it("keeps at most a hundred problems", async () => {
    const broken = Array.from({ length: 200 }, (_, n) => [`node_modules/a${n}/package.json`, "{"] as const);
    assert.equal((await collect(broken)).problems.size, 100);
  });
});
