import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compressionOf, compressionOptions } from "../../src/cli/compression.ts";
import { declareOptions, optionValues } from "../../src/cli/options.ts";
import { parseLine } from "../../src/cli/parse.ts";
import { fails } from "../helpers/failures.ts";

const command = {
  name: "write",
  summary: "Write",
  description: "",
  examples: ["perigee write"],
  options: compressionOptions,
  run: async () => undefined,
  text: () => [],
};

async function kindOf(...words: string[]) {
  return compressionOf((await parseLine(command, words)).options);
}

describe("compressionOf (ACI-10, ACI-13)", () => {
  it("is gzip when nothing is said", () =>
    assert.equal(compressionOf(optionValues(declareOptions(compressionOptions), new Map())), "gzip"));
  for (const [kind, words] of [
    ["zstd", ["--compression", "zstd"]],
    ["gzip", ["--compression=gzip"]],
    ["none", ["--compression=none"]],
    ["none", ["--no-compression"]],
    ["gzip", ["--no-compression=false"]],
    ["none", ["--compression", "zstd", "--no-compression"]],
    ["zstd", ["--no-compression", "--compression", "zstd"]],
  ] as const) {
    it(`${words.join(" ")} is ${kind}`, async () => assert.equal(await kindOf(...words), kind));
  }
  it("refuses another kind", async () => {
    await assert.rejects(kindOf("--compression", "xz"), fails("USAGE", /not written as xz/));
  });
});
