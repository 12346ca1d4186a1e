import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type CatalogueImage, formatCatalogue, merge, readCatalogue } from "../../src/site/catalogue.ts";
import { failure } from "../helpers/trust.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `perigee-test-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true }));

const image = (name: string, version: string, size = 1): CatalogueImage => ({
  ...{ name, version, os: "linux", arch: "amd64", size },
  file: `${name}-${version}-linux-amd64.aci`,
  signers: ["ab".repeat(20)],
  source: "1".repeat(32),
  placed: undefined,
});

function put(text: string, ...files: readonly string[]): void {
  writeFileSync(join(directory, "site.json"), text);
  mkdirSync(join(directory, "example.com"), { recursive: true });
  for (const file of files) writeFileSync(join(directory, file), "");
}

describe("the catalogue", () => {
  it("is read as it was written; images whose file is gone are left out", async () => {
    const [one, two] = [image("example.com/a", "1"), image("example.com/b", "2")];
    put(formatCatalogue({ url: "https://example.com", images: [one, two] }), one.file, two.file);
    assert.deepEqual(await readCatalogue(directory), { url: "https://example.com", images: [one, two] });
    rmSync(join(directory, one.file));
    assert.deepEqual((await readCatalogue(directory))?.images, [two]);
  });

  it("is undefined where there is none", async () => assert.equal(await readCatalogue(directory), undefined));

  it("a path in it is not believed, and neither is a key's name", async () => {
    const lie = { ...image("example.com/a", "1"), file: "../../etc/passwd", signers: ["../x", "ab".repeat(20), 5] };
    put(JSON.stringify({ url: "https://example.com", images: [lie] }), "example.com/a-1-linux-amd64.aci");
    assert.deepEqual((await readCatalogue(directory))?.images, [image("example.com/a", "1")]);
  });

  for (const text of [
    "",
    "[]",
    "null",
    '{"url":1,"images":[]}',
    '{"url":"https://a"}',
    '{"url":"nonsense","images":[]}',
    '{"url":"https://a/%","images":[]}',
    '{"url":"https://a","images":[{"name":"../x","size":1}]}',
    '{"url":"https://a","images":[{"name":"a","version":"a/b","size":1}]}',
    '{"url":"https://a","images":[null]}',
  ]) {
    it(`refuses ${text === "" ? "an empty file" : text}`, async () => {
      put(text);
      await assert.rejects(readCatalogue(directory), failure("CONFIG_INVALID", /damaged/));
    });
  }

  it("new images take the place of old ones of the same file, in one order", () => {
    const merged = merge([image("b", "1"), image("a", "2")], [image("a", "10"), image("b", "1", 7)]);
    assert.deepEqual(merged, [image("a", "10"), image("a", "2"), image("b", "1", 7)]);
  });
});
