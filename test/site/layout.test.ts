import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  compareVersions,
  fileUrl,
  imageFile,
  keyFile,
  pageFile,
  parseSiteUrl,
  template,
  withParents,
} from "../../src/site/layout.ts";
import { failure } from "../helpers/trust.ts";

const key = { name: "example.com/web", version: "1.0.0", os: "linux", arch: "amd64" };

describe("parseSiteUrl", () => {
  it("takes an https address, with or without a path and a port", () => {
    assert.deepEqual(parseSiteUrl("https://example.com"), {
      url: "https://example.com",
      host: "example.com",
      prefix: "example.com",
    });
    assert.deepEqual(parseSiteUrl("https://EXAMPLE.com:8443/a/b//"), {
      url: "https://example.com:8443/a/b",
      host: "example.com",
      prefix: "example.com/a/b",
    });
  });
  for (const [text, why] of [
    ["example.com", /no URL/],
    ["http://example.com", /https only/],
    ["https://user:secret@example.com", /password/],
    ["https://example.com/?a", /query/],
    ["https://example.com/#a", /fragment/],
    ["https://example.com/{name}", /braces/],
    ["https://example.com/%7Bname%7D", /braces/],
    ["https://example.com/%", /percent/],
    ["https://example.com/%ff", /percent/],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => parseSiteUrl(text), failure("USAGE", why)));
  }
});

describe("imageFile and template (DISC-4, DISC-5)", () => {
  const site = parseSiteUrl("https://example.com/images");
  const render = (text: string, values: Readonly<Record<string, string>>) =>
    text.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");

  it("the template renders to the URL of the file", () => {
    const values = { ...key, ext: "aci" };
    assert.equal(render(template(site, false), values), fileUrl(site, imageFile(key)));
    assert.equal(imageFile(key), "example.com/web-1.0.0-linux-amd64.aci");
  });
  it("an image for any machine has the template without os and arch", () => {
    const any = { ...key, os: undefined };
    assert.equal(render(template(site, true), { ...key, ext: "aci" }), fileUrl(site, imageFile(any)));
  });
  it("DISC-12: an image without a version is `latest`", () => {
    assert.equal(imageFile({ ...key, version: undefined }), "example.com/web-latest-linux-amd64.aci");
  });
  it("a label that would lead elsewhere, or makes no file name, is refused", () => {
    for (const version of ["", "a/b", "../x", "a\\b", "a\0b", "a\nb", "v".repeat(101)]) {
      assert.throws(() => imageFile({ ...key, version }), failure("UNSUPPORTED", /file name/), JSON.stringify(version));
    }
    assert.equal(imageFile({ ...key, version: ".." }), "example.com/web-..-linux-amd64.aci");
  });
  it("URLs of files are encoded, component by component", () => {
    assert.equal(fileUrl(site, "a/b c%?#é"), "https://example.com/images/a/b%20c%25%3F%23%C3%A9");
    assert.equal(keyFile("ab"), "keys/ab.asc");
  });
});

describe("pages (DISC-1, DISC-7)", () => {
  it("the name and its parents have one each", () => {
    assert.deepEqual(withParents("example.com/a/b"), ["example.com/a/b", "example.com/a", "example.com"]);
    assert.deepEqual(withParents("example.com"), ["example.com"]);
  });
  it("below the site's address, by whole components, a page is where its server looks; else in the directory of its host", () => {
    const root = parseSiteUrl("https://example.com");
    assert.equal(pageFile(root, "example.com"), "index.html");
    assert.equal(pageFile(root, "example.com/a/b"), "a/b/index.html");
    assert.equal(pageFile(root, "example.com.evil/a"), "example.com.evil/a/index.html");
    const deep = parseSiteUrl("https://example.com/images");
    assert.equal(pageFile(deep, "example.com/images/a"), "a/index.html");
    assert.equal(pageFile(deep, "example.com/images"), "index.html");
    assert.equal(pageFile(deep, "example.com/images2"), "example.com/images2/index.html");
    assert.equal(pageFile(deep, "example.com"), "example.com/index.html");
  });
});

describe("compareVersions", () => {
  const ascending = [
    "0.9",
    "1.0.0-alpha",
    "1.0.0-alpha.2",
    "1.0.0-alpha.10",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2",
    "1.10",
    "1.10.1",
    "2",
    "10",
  ];
  it("numbers as numbers, a pre-release before its release", () => {
    assert.deepEqual([...ascending].reverse().sort(compareVersions), ascending);
    assert.deepEqual([...ascending].sort(compareVersions), ascending);
  });
  it("equal is equal, and numbers may be longer than numbers are", () => {
    assert.equal(compareVersions("1.0", "1.0"), 0);
    assert.ok(compareVersions("20261231235959000000001", "20261231235959000000002") < 0);
  });
});
