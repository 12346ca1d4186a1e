import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostOf, isDirectoryPath, pageRedirect, pathOf, rangeOf, typeOf } from "../../src/site/request.ts";

describe("pathOf", () => {
  for (const [target, names] of [
    ["/", []],
    ["/a/b", ["a", "b"]],
    ["/a/b/", ["a", "b"]],
    ["/a?ac-discovery=1", ["a"]],
    ["/a#b?c", ["a"]],
    ["/a%20b/%C3%A9", ["a b", "é"]],
    ["/a..b/x..", ["a..b", "x.."]],
    ["/%252e%252e/x", ["%2e%2e", "x"]],
  ] as const) {
    it(`${target} is ${JSON.stringify(names)}`, () => assert.deepEqual(pathOf(target), names));
  }
  for (const target of [
    "",
    "a",
    "*",
    "https://other/x",
    "/..",
    "/../etc/passwd",
    "/a/../../x",
    "/%2e%2e/x",
    "/%2E./x",
    "/a%2f..%2fb",
    "/a%5c..%5cb",
    "/a\\b",
    "//etc/passwd",
    "/a//b",
    "/.git/config",
    "/a/.x.tmp",
    "/a%00b",
    "/a%0ab",
    "/%",
    "/%ff",
    "/a//",
  ]) {
    it(`${JSON.stringify(target)} is no file of a site`, () => assert.equal(pathOf(target), undefined));
  }
});

describe("isDirectoryPath", () => {
  it("is said by the slash at the end of the path", () => {
    const targets = ["/", "/a/", "/a/?x", "/a", "/a?x=/", "/a#/", ""];
    assert.deepEqual(targets.map(isDirectoryPath), [true, true, true, false, false, false, false]);
  });
});

describe("hostOf", () => {
  for (const [header, host] of [
    ["Example.COM", "example.com"],
    ["example.com:8443", "example.com"],
    ["[::1]:8443", "::1"],
    ["127.0.0.1", "127.0.0.1"],
    [undefined, ""],
    ["../etc", ""],
    ["a b", ""],
    ["user@host", ""],
  ] as const) {
    it(`${header} is "${host}"`, () => assert.equal(hostOf(header), host));
  }
});

describe("rangeOf (RFC 9110, 14)", () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=3-", { start: 3, end: 10 }],
    ["bytes=3-99", { start: 3, end: 10 }],
    ["bytes=-4", { start: 6, end: 10 }],
    ["bytes=-99", { start: 0, end: 10 }],
    ["bytes=9-9", { start: 9, end: 10 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-4", undefined],
    ["bytes=-", undefined],
    ["bytes=0-1,3-4", undefined],
    ["bytes=3-4,", { start: 3, end: 5 }],
    ["BYTES= 3-4 ", { start: 3, end: 5 }],
    ["bytes=0-1, x", undefined],
    [`bytes=${"9".repeat(400)}-`, "unsatisfiable"],
    [`bytes=0-${"9".repeat(400)}`, { start: 0, end: 10 }],
    ["bytes=+1-2", undefined],
    ["bytes 0-1", undefined],
    ["lines=0-1", undefined],
    ["bytes=a-b", undefined],
  ] as const) {
    it(`${header} of 10 bytes`, () => assert.deepEqual(rangeOf(header, 10), expected));
  }
  it("of nothing", () => {
    assert.equal(rangeOf("bytes=0-", 0), "unsatisfiable");
    assert.equal(rangeOf("bytes=-0", 0), "unsatisfiable");
    assert.equal(rangeOf("bytes=-1", 0), undefined);
  });
});

describe("pageRedirect (SITE-2)", () => {
  for (const [target, expected] of [
    ["/a", "/a/"],
    ["/a?x=1#y", "/a/?x=1"],
    ["/a%20b/c%3Fd", "/a%20b/c%3Fd/"],
    ["/a/", undefined],
    ["/", undefined],
    ["/a?ac-discovery=1", undefined],
    ["/a?x=1&ac-discovery=1", undefined],
    ["/a?ac-discovery=10", "/a/?ac-discovery=10"],
  ] as const) {
    it(`${target} leads to ${expected}`, () => assert.equal(pageRedirect(target, pathOf(target) ?? []), expected));
  }
});

describe("typeOf", () => {
  for (const [file, type] of [
    ["index.html", "text/html; charset=utf-8"],
    ["a.aci", "application/octet-stream"],
    ["a.aci.asc", "application/pgp-signature"],
    ["ab.asc", "application/pgp-keys"],
    ["site.json", "application/json"],
    ["README", "application/octet-stream"],
  ] as const) {
    it(file, () => assert.equal(typeOf(["x", file]), type));
  }
});
