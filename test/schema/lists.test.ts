import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { nullableList, orEmpty, uniqueBy } from "../../src/schema/lists.ts";

describe("nullableList and orEmpty", () => {
  for (const [name, schema] of [
    ["nullableList", nullableList(z.string())],
    ["orEmpty", orEmpty(z.array(z.string()))],
  ] as const) {
    it(`${name} is empty for null and for nothing`, () => {
      assert.deepEqual(schema.parse(null), []);
      assert.deepEqual(schema.parse(undefined), []);
      assert.deepEqual(schema.parse(["a"]), ["a"]);
      assert.ok(!schema.safeParse([1]).success);
    });
  }
});

describe("uniqueBy", () => {
  it("names every item whose key was seen before", () => {
    const schema = z
      .array(z.string())
      .superRefine((items, context) => uniqueBy(items, (item) => item, "twice", context));
    const { error } = schema.safeParse(["a", "b", "a", "a"]);
    assert.deepEqual(
      error?.issues.map(({ path, message }) => [path[0], message]),
      [
        [2, 'twice "a"'],
        [3, 'twice "a"'],
      ],
    );
  });
});
