import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { imageID, shortId } from "../../src/schema/image-id.ts";

describe("imageID (ACI-11, TYPE-6)", () => {
  const hex = createHash("sha512").update("").digest("hex");

  it("is sha512- and all 128 digits", () => assert.equal(imageID(hex), `sha512-${hex}`));
  it("is made of nothing else", () => {
    assert.throws(() => imageID(hex.slice(1)));
    assert.throws(() => imageID(hex.toUpperCase()));
  });
  it("is shown with 12 digits", () => assert.equal(shortId(imageID(hex)), `sha512-${hex.slice(0, 12)}`));
});
