import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isACIdentifier, isACName, parseQuantity, sanitiseName } from "../../src/schema/grammar.ts";
import { ACIdentifier, ACName } from "../../src/schema/names.ts";

describe("names without a schema (TYPE-1, TYPE-2)", () => {
  it("are the schema's names", () => {
    const texts = [
      "a",
      "a-b",
      "a.b/c~d_e",
      "A",
      "a--b",
      "-a",
      "a-",
      "a..b",
      "",
      "a b",
      "é",
      "a".repeat(512),
      "a".repeat(513),
    ];
    for (const text of texts) {
      assert.equal(isACName(text), ACName.safeParse(text).success, text);
      assert.equal(isACIdentifier(text), ACIdentifier.safeParse(text).success, text);
    }
  });

  it("TYPE-3: a name is made of what is left", () => {
    const made = ["Web_Server", "--x--", "ß", "a__b", ""].map(sanitiseName);
    assert.deepEqual(made, ["web-server", "x", undefined, "a-b", undefined]);
  });
});

describe("parseQuantity (TYPE-12, ACE-41)", () => {
  it("gives the same bytes for the three spellings of the specification", () => {
    const bytes = ["128974848", "125952Ki", "123Mi"].map((text) => parseQuantity(text));
    assert.deepEqual(bytes, [128974848n, 128974848n, 128974848n]);
  });

  it("counts in smaller units and rounds up", () => {
    assert.deepEqual(
      [parseQuantity("500m", 1000n), parseQuantity("0.5", 1000n), parseQuantity("1500m")],
      [500n, 500n, 2n],
    );
  });

  it("refuses what is no quantity", () => {
    for (const text of ["", "x", "1x", "1 M", "1e", "--1", "0x10"]) assert.equal(parseQuantity(text), undefined, text);
  });
});
