import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Grammar, readCall } from "../../src/recipe/acbuild-call.ts";
import { commandLines } from "../../src/recipe/acbuild-words.ts";
import { fails } from "../helpers/failures.ts";

const grammars: Readonly<Record<string, Grammar>> = {
  begin: { usage: "[BASE]", least: 0, most: 1 },
  copy: { usage: "A B", least: 2, most: 2 },
  "copy-to-dir": { usage: "A… B", least: 2, most: 9 },
  run: { usage: "-- COMMAND…", least: 1, most: 99, isCommand: true, flags: { "--dir": "value", "--quiet": "switch" } },
  "set-user": { usage: "USER", least: 1, most: 1 },
  "set-event-handler": { usage: "E", least: 1, most: 9 },
  "label add": { usage: "NAME VALUE", least: 2, most: 2 },
  "label remove": { usage: "NAME", least: 1, most: 1 },
  "mount add": { usage: "NAME", least: 1, most: 1, flags: { "--read-only": "switch" } },
};

const read = (text: string) => {
  const [line = []] = commandLines(text, "s");
  const { name, args, flag } = readCall(line, grammars);
  return { name, args: args.map((word) => word.text), flag };
};

describe("readCall", () => {
  const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
    ["ACB-3: a name", "set-user root", "set-user", ["root"]],
    ["ACB-3: its beginning, when that is enough", "b ./x", "begin", ["./x"]],
    ["ACB-3: a whole name that begins another", "copy a b", "copy", ["a", "b"]],
    ["ACB-3: names of two words, shortened", "la a k v", "label add", ["k", "v"]],
    ["ACB-3: rm, volume and set-eh", "label rm k", "label remove", ["k"]],
    ["ACB-3: volume", "volume add data", "mount add", ["data"]],
    ["ACB-3: set-eh", "set-eh pre-start", "set-event-handler", ["pre-start"]],
    ["ACB-4: global flags and the program's own name", "acbuild --debug --work-path x begin", "begin", []],
    ["ACB-4: flags of another program are its own", "run ls -l --dir x", "run", ["ls", "-l", "--dir", "x"]],
    ["ACB-4: -- once", "run --dir=/x -- --dir -- y", "run", ["--dir", "--", "y"]],
    ["ACB-4: flags behind arguments", "mount add data --read-only", "mount add", ["data"]],
  ];
  for (const [why, text, name, args] of cases) {
    it(why, () => {
      const call = read(text);
      assert.deepEqual([call.name, call.args], [name, args]);
    });
  }
  it("ACB-4: flags take their values behind a blank or =, switches true or false", () => {
    assert.equal(read("run --dir /x a").flag("--dir"), "/x");
    assert.equal(read("run --dir=/x a").flag("--dir"), "/x");
    assert.equal(read("run --quiet a").flag("--quiet"), "true");
    assert.equal(read("run --quiet=false a").flag("--quiet"), "false");
    assert.equal(read("run a").flag("--quiet"), undefined);
  });
  const bad: readonly (readonly [text: string, message: RegExp, hint?: RegExp])[] = [
    ["frobnicate", /^s:1:1: ACB-3: there is no command frobnicate/],
    ["if true", /^s:1:1: ACB-3: there is no command if/, /scripts for a shell/],
    ["V=1", /^s:1:1: ACB-3: there is no command V=1/, /scripts for a shell/],
    ["set -e", /^s:1:1: ACB-3: set may be/, /scripts for a shell/],
    ["s x", /^s:1:1: ACB-3: s may be set-user or set-event-handler/],
    ["label", /^s:1:1: ACB-3: label is followed by add or remove/],
    ["label twist a", /^s:1:7: ACB-3: there is no command twist/],
    ["label add a", /^s:1:1: ACB-3: it is label add NAME VALUE/],
    ["--modify-appc x.aci begin", /^s:1:1: ACB-4: --modify-appc/],
    ["--what begin", /^s:1:1: ACB-4: there is no flag --what/],
    ["mount add a --read-only=2", /^s:1:13: ACB-4: --read-only is on or off/],
    ["run --dir", /^s:1:5: ACB-4: --dir needs a value/],
    ["run --constructor x", /ACB-4: there is no flag/],
    ["acbuild --debug", /ACB-3: a command is missing/],
    ["'' x", /ACB-3: there is no command/],
  ];
  for (const [text, message, hint = /(?:)/] of bad) {
    it(text, () => assert.throws(() => read(text), fails("RECIPE_INVALID", message, { hint })));
  }
});
