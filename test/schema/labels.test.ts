import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Labels, labelValue } from "../../src/schema/labels.ts";

describe("labelValue", () => {
  const labels = Labels.parse([{ name: "version", value: "1" }]);
  it("is the value of that name", () => assert.equal(labelValue(labels, "version"), "1"));
  it("is undefined for another", () => assert.equal(labelValue(labels, "os"), undefined));
});
