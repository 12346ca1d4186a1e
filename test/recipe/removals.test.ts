import assert from "node:assert/strict";
import { it } from "node:test";
import { refuseRemovals } from "../../src/recipe/removals.ts";
import { fails } from "../helpers/failures.ts";

it("RECIPE-42: what a dependency has cannot be taken away", () => {
  const refuse = refuseRemovals((path) => path === "etc/passwd");
  refuse("etc/group");
  assert.throws(() => refuse("etc/passwd"), fails("UNSUPPORTED", /\/etc\/passwd/, { hint: /base/ }));
});
