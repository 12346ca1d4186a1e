import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { guessPresentation, mergeGiven, readGlobals, takeLeading, takeScattered } from "../../src/cli/globals.ts";
import { declareOptions } from "../../src/cli/options.ts";

const own = declareOptions([
  ["--exec <program>", "program"],
  ["--dir <directory>", "a directory of the command's own"],
]);

describe("takeLeading", () => {
  it("takes flags up to the command's name", () => {
    const { given, rest } = takeLeading(["--dir", "/d", "--debug", "list", "--format", "json"]);
    assert.deepEqual(
      [...given],
      [
        ["dir", ["/d"]],
        ["debug", ["true"]],
      ],
    );
    assert.deepEqual(rest, ["list", "--format", "json"]);
  });
  it("refuses a flag that is no global one", () => {
    assert.throws(() => takeLeading(["--formt=json", "list"]), { code: "USAGE", hint: /--format/ });
  });
});

describe("takeScattered (CLI-1, CLI-3)", () => {
  it("takes global flags wherever they stand", () => {
    const { given, rest } = takeScattered(["a", "--format", "json", "b", "--debug"], own, false);
    assert.deepEqual([...given.keys()], ["format", "debug"]);
    assert.deepEqual(rest, ["a", "b"]);
  });
  it("leaves values and the command's own flags of the same name", () => {
    const line = ["--exec", "--debug", "--dir=/mine"];
    assert.deepEqual(takeScattered(line, own, false), { given: new Map(), rest: line });
  });
  it("leaves what stands behind --, in pods up to ---", () => {
    const line = ["a", "--", "--debug", "---", "--debug"];
    assert.deepEqual(takeScattered(line, own, false).rest, line);
    assert.deepEqual(takeScattered(line, own, true).rest, ["a", "--", "--debug", "---"]);
  });
});

describe("readGlobals", () => {
  it("leaves unset what was not given, so that configuration can set it", () => {
    const { settings, format, isQuiet } = readGlobals(new Map());
    assert.equal(format, "table");
    assert.equal(isQuiet, false);
    assert.deepEqual(
      [settings.dir, settings.systemConfig, settings.insecureOptions, settings.caFile, settings.debug],
      [undefined, undefined, undefined, [], false],
    );
  });
  it("the flag behind the command's name wins", () => {
    const merged = mergeGiven(
      new Map([
        ["dir", ["/a"]],
        ["ca-file", ["/1"]],
      ]),
      new Map([
        ["dir", ["/b"]],
        ["ca-file", ["/2"]],
      ]),
    );
    const { settings } = readGlobals(merged);
    assert.deepEqual([settings.dir, settings.caFile], ["/b", ["/1", "/2"]]);
  });
  it("--quiet is a flag of every command", () => {
    assert.deepEqual(takeScattered(["a", "--quiet"], own, false).rest, ["a"]);
    assert.equal(readGlobals(new Map([["quiet", ["true"]]])).isQuiet, true);
  });
  it("knows two formats", () => {
    assert.throws(() => readGlobals(new Map([["format", ["xml"]]])), { code: "USAGE", message: /no format xml/ });
  });
});

describe("guessPresentation", () => {
  it("looks only before --", () => {
    assert.deepEqual(guessPresentation(["x", "--format", "json", "--debug"]), { format: "json", debug: true });
    assert.deepEqual(guessPresentation(["x", "--format=json"]), { format: "json", debug: false });
    assert.deepEqual(guessPresentation(["x", "--", "--format=json", "--debug"]), { format: "table", debug: false });
  });
});
