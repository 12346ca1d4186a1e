import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseQuantity, Quantity } from "../../src/schema/quantity.ts";

describe("Quantity (TYPE-12)", () => {
  it("is kept as written", () => assert.equal(Quantity.parse("1.50Gi"), "1.50Gi"));
  it("may be a number in the document", () => assert.equal(Quantity.parse(128974848), "128974848"));
  it("is no fraction as a number, which would be a float", () => assert.ok(!Quantity.safeParse(0.5).success));
  it("rounds away from zero to whole units", () => {
    assert.equal(parseQuantity("1.1"), 2n);
    assert.equal(parseQuantity("-1.1"), -2n);
  });
  it("ACE-41: three spellings of one value", () => {
    assert.equal(parseQuantity("128974848"), parseQuantity("125952Ki"));
    assert.equal(parseQuantity("125952Ki"), parseQuantity("123Mi"));
  });
});
