import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Command, defineCommand } from "../../src/cli/command.ts";
import { parseLine } from "../../src/cli/parse.ts";

const base = { summary: "s", examples: [], run: async () => undefined, text: () => [] };
const command: Command = defineCommand({
  ...base,
  name: "image extract",
  arguments: "<image> [directory]",
  options: [
    ["-o, --overwrite", "replace"],
    ["--label <label>*", "label"],
    ["--wait [duration]", "wait"],
    ["--no-legend", "no header"],
  ],
});

describe("parseLine", () => {
  it("separates arguments, options and global flags", async () => {
    const line = ["--label", "a=b", "img", "--format=json", "-o", "--wait", "dir", "--label=c", "--no-legend"];
    const { args, options, globals } = await parseLine(command, line);
    assert.deepEqual(args, ["img", "dir"]);
    assert.deepEqual(options.list("label"), ["a=b", "c"]);
    assert.deepEqual(
      [options.flag("overwrite"), options.flag("wait"), options.text("wait"), options.flag("legend")],
      [true, true, undefined, false],
    );
    assert.deepEqual([...globals], [["format", ["json"]]]);
  });
  it("takes an optional value only behind =", async () => {
    assert.equal((await parseLine(command, ["img", "--wait=30s"])).options.text("wait"), "30s");
  });
  it("understands --flag=false", async () => {
    const { options } = await parseLine(command, ["img", "--overwrite=false", "--no-legend=false"]);
    assert.deepEqual([options.flag("overwrite"), options.flag("legend")], [false, true]);
  });
  it("takes everything behind -- as arguments", async () => {
    assert.deepEqual((await parseLine(command, ["--", "-o", "--format"])).args, ["-o", "--format"]);
  });
  it("asks for help without its arguments", async () => {
    assert.ok((await parseLine(command, ["--help"])).globals.has("help"));
  });
  it("hands a line of its own to a command that parses itself", async () => {
    const run = {
      ...command,
      passThrough: true as const,
      appOptions: [["--exec <p>", "p"]] as const,
    };
    const { args, globals } = await parseLine(run, ["--debug", "img", "--exec", "--debug", "--", "--debug"]);
    assert.deepEqual(args, ["img", "--exec", "--debug", "--", "--debug"]);
    assert.deepEqual([...globals], [["debug", ["true"]]]);
  });
  it("CLI-64: a command line of somebody else's is kept as it is", async () => {
    const enter = { ...command, endsWithCommand: true as const, arguments: "<pod> [command...]" };
    for (const line of [
      ["-o", "--debug", "--label", "a", "pod", "--debug", "--", "--label"],
      ["-o", "--label=a", "--debug", "--", "pod", "--", "--debug", "--", "--label"],
    ]) {
      const { args, options, globals } = await parseLine(enter, line);
      assert.deepEqual(args, ["pod", "--debug", "--", "--label"]);
      assert.deepEqual([options.flag("overwrite"), options.list("label")], [true, ["a"]]);
      assert.deepEqual([...globals], [["debug", ["true"]]]);
    }
    assert.deepEqual((await parseLine(enter, [])).args, []);
    await assert.rejects(parseLine(enter, ["--overwrit", "pod"]), { code: "USAGE", hint: /^--overwrite/ });
    await assert.rejects(parseLine(enter, ["--label"]), { code: "USAGE", message: /needs a value/ });
  });
  const refusals: readonly (readonly [string, readonly string[], RegExp, RegExp])[] = [
    ["a missing argument", [], /image extract needs IMAGE/, /^perigee image extract <image>/],
    ["too many arguments", ["a", "b", "c"], /does not take so many/, /^perigee image extract/],
    ["an unknown option", ["a", "--overwrit"], /no option --overwrit here/, /^--overwrite/],
    ["a missing value", ["a", "--label"], /--label needs a value/, /^--label=LABEL/],
  ];
  for (const [why, line, message, hint] of refusals) {
    it(`refuses ${why}`, async () => {
      await assert.rejects(parseLine(command, line), { code: "USAGE", message, hint });
    });
  }
  it("refuses an argument where none is taken", async () => {
    await assert.rejects(parseLine(defineCommand({ ...base, name: "version" }), ["x"]), { code: "USAGE" });
  });
});
