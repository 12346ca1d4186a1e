import assert from "node:assert/strict";
import { it } from "node:test";
import { madeOf } from "../../src/fetch/witness.ts";

it("a witness is the one given, or the one made when it is needed", async () => {
  const witness = { update: () => {} };
  assert.equal(await madeOf(witness), witness);
  assert.equal(await madeOf(async () => witness), witness);
  assert.equal(await madeOf(undefined), undefined);
});
