import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineCommand } from "../../src/cli/command.ts";

describe("defineCommand", () => {
  it("gives the declaration back as it is", () => {
    const command = { name: "x", summary: "s", examples: [], run: async () => 1, text: (n: number) => [String(n)] };
    assert.equal(defineCommand(command), command);
  });
});
