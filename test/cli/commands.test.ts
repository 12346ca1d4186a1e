import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commands, commandsBelow, findCommand } from "../../src/cli/commands/index.ts";
import { globalDeclarations } from "../../src/cli/globals.ts";
import { commandHelp, exitStatusLines } from "../../src/cli/help.ts";
import { declareOptions } from "../../src/cli/options.ts";

describe("findCommand", () => {
  it("finds the longest name", () => {
    assert.deepEqual(
      [findCommand(["image", "list", "x"])?.name, findCommand(["list", "image"])?.name],
      ["image list", "list"],
    );
    assert.equal(findCommand(["image", "list"])?.words, 2);
  });
  it("knows no abbreviation and no group alone", () => {
    for (const line of [["im", "list"], ["image"], ["image", "li"], []]) assert.equal(findCommand(line), undefined);
  });
});

describe("other names", () => {
  it("lead to the command itself, so that `perigee image` can stand for actool", () => {
    for (const name of ["build", "discover", "version", "fetch"]) {
      assert.deepEqual([findCommand(["image", name])?.name, findCommand(["image", name])?.words], [name, 2]);
    }
    for (const name of ["validate", "cat-manifest", "patch-manifest"]) {
      assert.equal(findCommand(["image", name])?.name, `image ${name}`);
    }
  });
});

describe("commandsBelow", () => {
  it("gives the commands of a group word", () => {
    assert.deepEqual(commandsBelow("key"), ["key generate", "key list", "key export", "key import"]);
    assert.deepEqual(commandsBelow("list"), []);
  });
});

describe("every command", () => {
  for (const [name, entry] of commands) {
    it(`${name}: its declaration is that of the table, and complete`, async () => {
      const { default: command } = await entry.load();
      assert.equal(command.name, name);
      assert.equal(command.summary, entry.summary);
      assert.match(command.summary, /^[A-Z].*[^.]$/);
      assert.ok(command.examples.length > 0, "examples");
      for (const example of command.examples) assert.match(example, new RegExp(`\\bperigee\\b.* ${name}\\b`));
      const specs = [...(command.options ?? []), ...(command.appOptions ?? [])];
      const declared = declareOptions(specs);
      const names = declared.map((option) => option.name);
      assert.equal(new Set(declared.map((option) => option.long)).size, declared.length, "an option stands twice");
      const global = new Set(globalDeclarations.map((option) => option.name));
      assert.deepEqual(
        names.filter((option) => global.has(option)),
        [],
        "an option hides a global one",
      );
      assert.ok(commandHelp(command).length > 5);
      // One status a line, in order, so that scripts' authors find theirs.
      const statuses = exitStatusLines(command).filter((line) => !line.startsWith("more: "));
      for (const line of statuses) assert.match(line, /^\d+(?:…\d+)? {2,}(?!.*; \d+:)[^\d\s]/);
      const numbers = statuses.map((line) => Number.parseInt(line, 10));
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((one, other) => one - other),
      );
    });
  }
});
