import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import {
  declareOption,
  declareOptions,
  findOption,
  isOption,
  optionValues,
  takeOption,
  unknownOption,
} from "../../src/cli/options.ts";

const table = declareOptions([
  ["-f, --force", "at once"],
  ["--no-legend", "no header"],
  ["--timeout <duration>", "how long", "10s"],
  ["--set-env <variable>*", "K=V"],
  ["--wait [duration]", "wait"],
]);

function taken(...line: string[]) {
  const declaration = findOption(table, line[0] ?? "");
  assert.ok(declaration !== undefined);
  return takeOption(declaration, line, 0);
}

function isUsage(pattern: RegExp) {
  return (error: unknown) => error instanceof Failure && error.code === "USAGE" && pattern.test(error.message);
}

describe("declareOption", () => {
  it("reads every form", () => {
    assert.deepEqual(
      table.map(({ name, short, value, valueName, isRepeatable, isNegated }) => [
        name,
        short,
        value,
        valueName,
        isRepeatable,
        isNegated,
      ]),
      [
        ["force", "-f", "none", "", false, false],
        ["legend", undefined, "none", "", false, true],
        ["timeout", undefined, "required", "duration", false, false],
        ["set-env", undefined, "required", "variable", true, false],
        ["wait", undefined, "optional", "duration", false, false],
      ],
    );
  });
  for (const flags of ["force", "--Force", "--x <a...>", "--x [a]*", "-ff, --force", "--x  <a>"]) {
    it(`refuses ${flags}`, () => assert.throws(() => declareOption([flags, "x"]), { code: "INTERNAL" }));
  }
});

describe("takeOption (CLI-2)", () => {
  it("takes a value from the same word or from the next", () => {
    assert.deepEqual([taken("--timeout=5s").value, taken("--timeout=5s").words], ["5s", 1]);
    assert.deepEqual([taken("--timeout", "-5").value, taken("--timeout", "-5").words], ["-5", 2]);
    assert.equal(taken("--set-env=A=B=C").value, "A=B=C");
  });
  it("never takes an optional value from the next word", () => {
    assert.deepEqual([taken("--wait", "6f3a").value, taken("--wait", "6f3a").words], [undefined, 1]);
    assert.equal(taken("--wait=30s").value, "30s");
  });
  it("turns flags on and off", () => {
    assert.deepEqual(
      [taken("--force").value, taken("-f").value, taken("--force=false").value],
      ["true", "true", "false"],
    );
    assert.deepEqual([taken("--no-legend").value, taken("--no-legend=false").value], ["false", "true"]);
    assert.throws(() => taken("--force=maybe"), isUsage(/--force is on or off/));
  });
  it("says which value is missing", () => assert.throws(() => taken("--timeout"), isUsage(/--timeout needs a value/)));
});

describe("isOption", () => {
  for (const [word, expected] of [
    ["--x", true],
    ["-x", true],
    ["-", false],
    ["--", false],
    ["---", false],
    ["-5", false],
    ["image", false],
  ] as const) {
    it(`${word}: ${expected}`, () => assert.equal(isOption(word), expected));
  }
});

describe("optionValues", () => {
  it("gives defaults for what was not given", () => {
    const values = optionValues(table, new Map());
    assert.deepEqual([values.flag("force"), values.flag("legend"), values.text("timeout")], [false, true, "10s"]);
    assert.deepEqual([values.list("set-env"), values.flag("wait"), values.text("wait")], [[], false, undefined]);
  });
  it("lets the last value win and keeps all of a repeatable one", () => {
    const values = optionValues(
      table,
      new Map([
        ["timeout", ["1s", "2s"]],
        ["set-env", ["A=1", "B=2"]],
        ["legend", ["false"]],
        ["wait", [undefined]],
      ]),
    );
    assert.deepEqual([values.text("timeout"), values.flag("legend")], ["2s", false]);
    assert.deepEqual(values.list("set-env"), ["A=1", "B=2"]);
    assert.deepEqual([values.flag("wait"), values.text("wait")], [true, undefined]);
  });
  it("knows no undeclared name", () => {
    assert.throws(() => optionValues(table, new Map()).flag("nope"), { code: "INTERNAL" });
  });
});

describe("unknownOption", () => {
  it("names the nearest declared one", () => {
    assert.match(unknownOption("--timout=3", table).hint ?? "", /^--timeout /);
    assert.equal(unknownOption("--zzz", table).hint, undefined);
  });
});
