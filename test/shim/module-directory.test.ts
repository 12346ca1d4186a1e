import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { moduleDirectory } from "../../src/shim/module-directory.ts";

describe("moduleDirectory", () => {
  it("is where the compiled module is", () => assert.equal(moduleDirectory(), resolve("build/src/shim")));
});
