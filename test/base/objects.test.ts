import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isObject } from "../../src/base/objects.ts";

describe("isObject", () => {
  it("is true of JSON objects alone", () => {
    for (const value of [{}, { a: 1 }]) assert.ok(isObject(value));
    for (const value of [null, undefined, [], [{}], "{}", 1, true]) assert.ok(!isObject(value), String(value));
  });
});
