import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostOf, isNotModified, isRangeValid, pathOf, rangeOf, typeOf } from "../../src/site/request.ts";

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
    ["lines=0-1", undefined],
    ["bytes=a-b", undefined],
  ] as const) {
    it(`${header} of 10 bytes`, () => assert.deepEqual(rangeOf(header, 10), expected));
  }
  it("of nothing", () => assert.equal(rangeOf("bytes=0-", 0), "unsatisfiable"));
});

describe("conditions (RFC 9110, 13)", () => {
  const at = new Date("2026-01-02T03:04:05.678Z");
  it("the tag decides when there is one", () => {
    assert.equal(isNotModified({ ifNoneMatch: '"x", W/"a"' }, '"a"', at), true);
    assert.equal(isNotModified({ ifNoneMatch: "*" }, '"a"', at), true);
    assert.equal(isNotModified({ ifNoneMatch: '"b"', ifModifiedSince: at.toUTCString() }, '"a"', at), false);
  });
  it("else the time, in whole seconds", () => {
    assert.equal(isNotModified({ ifModifiedSince: at.toUTCString() }, '"a"', at), true);
    assert.equal(isNotModified({ ifModifiedSince: "Fri, 02 Jan 2026 03:04:04 GMT" }, '"a"', at), false);
    assert.equal(isNotModified({ ifModifiedSince: "yesterday" }, '"a"', at), false);
    assert.equal(isNotModified({}, '"a"', at), false);
  });
  it("T-D08: a range of another version is not answered", () => {
    assert.equal(isRangeValid(undefined, '"a"', at), true);
    assert.equal(isRangeValid('"a"', '"a"', at), true);
    assert.equal(isRangeValid('"b"', '"a"', at), false);
    assert.equal(isRangeValid(at.toUTCString(), '"a"', at), true);
    assert.equal(isRangeValid("Fri, 02 Jan 2026 03:04:04 GMT", '"a"', at), false);
  });
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
