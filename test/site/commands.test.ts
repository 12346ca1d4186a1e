import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { commandsFor, referenceTo, shellWord } from "../../src/site/commands.ts";

const hostile = ["a'; rm -rf ~ #", "$(id)", "`id`", "a b", "a\\'b", '"x"', "*", "é", "!x", ""];

describe("shellWord", () => {
  it("a shell reads back what was meant", () => {
    for (const text of [...hostile, "plain-1.0", "a/b:1,os=linux"]) {
      assert.equal(execFileSync("sh", ["-c", `printf %s ${shellWord(text)}`], { encoding: "utf8" }), text);
    }
  });
  it("what needs no quotes has none", () =>
    assert.equal(shellWord("example.com/a:1.0,os=linux"), "example.com/a:1.0,os=linux"));
});

describe("referenceTo", () => {
  const url = (version: string): string => `https://example.com/${encodeURIComponent(`a-${version}`)}.aci`;
  it("name and version", () => {
    assert.equal(referenceTo({ name: "example.com/a", version: "1.0.0-rc.1+b" }, ""), "example.com/a:1.0.0-rc.1+b");
    assert.equal(referenceTo({ name: "example.com/a", version: undefined }, ""), "example.com/a");
  });
  it("a version that no reference can hold is reached by a URL that no shell minds", () => {
    for (const version of [...hostile.filter((text) => text !== ""), "1,os=evil", "1:2", "-x"]) {
      const reference = referenceTo({ name: "example.com/a", version }, url(version));
      assert.match(reference, /^https:\/\/[A-Za-z0-9./%-]+$/, version);
      assert.equal(decodeURIComponent(reference), `https://example.com/a-${version}.aci`);
    }
  });
});

describe("commandsFor", () => {
  const options = { name: "example.com/a", reference: "example.com/a:1", signers: ["11", "22"], isApp: true };
  it("trust, fetch, run", () =>
    assert.deepEqual(
      commandsFor(options).map(({ line }) => line),
      [
        "perigee trust --prefix example.com/a --fingerprint 11",
        "perigee trust --prefix example.com/a --fingerprint 22",
        "perigee fetch example.com/a:1",
        "perigee run example.com/a:1",
      ],
    ));
  it("what is no app is not run", () =>
    assert.deepEqual(
      commandsFor({ ...options, signers: [], isApp: false }).map(({ line }) => line),
      ["perigee fetch example.com/a:1"],
    ));
});
