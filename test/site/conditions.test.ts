import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isRangeValid, judge, parseHttpDate } from "../../src/site/conditions.ts";

const modifiedAt = new Date("2026-01-02T03:04:05.678Z");
const version = { etag: '"a"', modifiedAt };
const same = modifiedAt.toUTCString();
const before = "Fri, 02 Jan 2026 03:04:04 GMT";
const after = "Fri, 02 Jan 2026 03:04:06 GMT";

describe("judge (SITE-1; RFC 9110, 13)", () => {
  for (const [why, conditions, expected] of [
    ["nothing is asked", {}, "send"],
    ["a tag of several is it, and weak ones count", { ifNoneMatch: '"x", W/"a"' }, "not-modified"],
    ["any tag", { ifNoneMatch: "*" }, "not-modified"],
    ["another tag", { ifNoneMatch: '"b"' }, "send"],
    ["a comma may stand in a tag", { ifNoneMatch: '"x,a"' }, "send"],
    ["no tag at all", { ifNoneMatch: "a" }, "send"],
    ["the tag decides before the time", { ifNoneMatch: '"b"', ifModifiedSince: same }, "send"],
    ["since that very second", { ifModifiedSince: same }, "not-modified"],
    ["since a later time", { ifModifiedSince: after }, "not-modified"],
    ["since an earlier time", { ifModifiedSince: before }, "send"],
    ["since what is no time", { ifModifiedSince: "2027-01-01" }, "send"],
    ["only this one", { ifMatch: '"b", "a"' }, "send"],
    ["only if there is one", { ifMatch: "*" }, "send"],
    ["only another one", { ifMatch: '"b"' }, "failed"],
    ["a weak tag names no exact bytes", { ifMatch: 'W/"a"' }, "failed"],
    ["not changed since an earlier time", { ifUnmodifiedSince: before }, "failed"],
    ["not changed since that second", { ifUnmodifiedSince: same }, "send"],
    ["not changed since what is no time", { ifUnmodifiedSince: "yesterday" }, "send"],
    ["If-Match decides before If-Unmodified-Since", { ifMatch: '"a"', ifUnmodifiedSince: before }, "send"],
    ["412 comes before 304", { ifMatch: '"b"', ifNoneMatch: '"a"' }, "failed"],
    ["304 although If-Match holds", { ifMatch: '"a"', ifNoneMatch: '"a"' }, "not-modified"],
  ] as const) {
    it(why, () => assert.equal(judge(conditions, version), expected));
  }
});

describe("isRangeValid (RFC 9110, 13.1.5)", () => {
  const now = new Date(modifiedAt.getTime() + 60_000);
  it("T-D08: a range of another version is not answered", () => {
    assert.equal(isRangeValid(undefined, version, now), true);
    assert.equal(isRangeValid('"a"', version, now), true);
    assert.equal(isRangeValid('"b"', version, now), false);
    assert.equal(isRangeValid('W/"a"', version, now), false);
    assert.equal(isRangeValid(same, version, now), true);
    assert.equal(isRangeValid(before, version, now), false);
    assert.equal(isRangeValid(after, version, now), false);
    assert.equal(isRangeValid("garbage", version, now), false);
  });
  it("the time of a file that changed just now says nothing", () =>
    assert.equal(isRangeValid(same, version, new Date(modifiedAt.getTime() + 900)), false));
});

describe("parseHttpDate (RFC 9110, 5.6.7)", () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (const text of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]) {
    it(text, () => assert.equal(parseHttpDate(text), time));
  }
  for (const text of [
    undefined,
    "",
    "1994-11-06",
    "Sun, 06 Nov 1994 08:49:37 +0200",
    "Sun, 99 Nov 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "0",
  ]) {
    it(`${text} is none`, () => assert.equal(parseHttpDate(text), undefined));
  }
});
