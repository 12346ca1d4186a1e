import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { documentLines, prettyPrintOptions, versioned } from "../../src/cli/document.ts";
import { declareOptions, optionValues } from "../../src/cli/options.ts";

const options = (...given: readonly string[]) =>
  optionValues(
    declareOptions(prettyPrintOptions),
    new Map([["pretty-print", given]].filter(([, values]) => values?.length !== 0) as [string, string[]][]),
  );

describe("versioned", () => {
  it("CLI-65: says which form an object has, before all that is in it", () => {
    assert.equal(JSON.stringify(versioned({ uuid: "x" })), '{"version":1,"uuid":"x"}');
  });
});

describe("documentLines", () => {
  it("CLI-9: is the same document, indented or on one line, with nothing that a terminal would act on", () => {
    const document = { a: ["\u001b[2J\u202e", "ü"], b: {} };
    const lines = documentLines(document, options("true"));
    assert.equal(lines.length, 7);
    assert.deepEqual(JSON.parse(lines.join("\n")), document);
    const [line, ...others] = documentLines(document, options("false"));
    assert.deepEqual([JSON.parse(line ?? ""), others], [document, []]);
    assert.match(line ?? "", /ü/);
    assert.doesNotMatch(line ?? "", /[\u001b\u202e]/);
  });
});
