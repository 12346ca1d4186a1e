import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Command, defineCommand } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/commands/index.ts";
import { commandHelp, exitStatusLines, frontPage, groupHelp, overview, usageOf } from "../../src/cli/help.ts";

const command: Command = defineCommand({
  name: "image rm",
  arguments: "<image...>",
  summary: "Remove images",
  description: "A longer text.",
  options: [
    ["-f, --force", "at once"],
    ["--label <label>*", "label", "x"],
    ["--wait [duration]", "wait"],
  ],
  examples: ["perigee image rm example.com/web"],
  notes: ["6: a pod uses it", "a word of advice"],
  run: async () => undefined,
  text: () => [],
});

describe("frontPage", () => {
  it("has twelve lines that fit a terminal and name commands that exist", () => {
    assert.equal(frontPage.length, 12);
    for (const line of frontPage) {
      assert.ok(line.length <= 80, line);
      const name = /^ {2}perigee ([a-z]+)/.exec(line)?.[1];
      if (name !== undefined) assert.ok(commands.has(name), name);
    }
  });
});

describe("overview", () => {
  it("names every command with its summary", () => {
    const text = overview().join("\n");
    for (const [name, { summary }] of commands) assert.match(text, new RegExp(`^  ${name} +${escaped(summary)}$`, "m"));
    assert.match(text, /--insecure-options LIST/);
  });
});

describe("groupHelp", () => {
  it("names the commands of the group only", () => {
    const text = groupHelp("key").join("\n");
    assert.match(text, /key generate {2}Make a signing key/);
    assert.doesNotMatch(text, /image/);
  });
});

describe("commandHelp", () => {
  const text = commandHelp(command).join("\n");
  it("begins with the usage", () => assert.match(text, /^Usage: perigee image rm \[OPTIONS\] IMAGE\.\.\.\n/));
  it("shows options as they are typed", () => {
    assert.match(text, /^ {2}-f, --force +at once$/m);
    assert.match(text, /^ {2}--label LABEL +label \(repeatable; default: x\)$/m);
    assert.match(text, /^ {2}--wait\[=DURATION\] +wait$/m);
  });
  it("breaks a long description in its column", () => {
    const long = { ...command, options: [["--x", "word ".repeat(40).trim()]] as const };
    const lines = commandHelp(long).filter((line) => line.includes("word"));
    assert.ok(lines.length > 1 && lines.every((line) => line.length <= 100));
    assert.match(lines[1] ?? "", /^ {7}word/);
  });
  it("has description, examples, exit statuses, notes and global options", () => {
    for (const part of [
      "A longer text.",
      "Examples:\n  perigee image rm example.com/web",
      "6  a pod uses it",
      "Notes:\n  a word of advice",
    ]) {
      assert.ok(text.includes(part), part);
    }
    assert.match(text, /^Global options:$/m);
  });
  it("leaves a global option out that the command has as its own", () => {
    const own = { ...command, options: [["--dir <directory>", "mine"]] as const };
    assert.equal(commandHelp(own).filter((line) => line.includes("--dir ")).length, 1);
  });
  it("shows the options that a command parses itself under their title", () => {
    const run = {
      ...command,
      passThrough: true as const,
      appOptions: [["--exec <p>", "p"]] as const,
    };
    assert.match(commandHelp(run).join("\n"), /\nApp options, behind an image:\n {2}--exec P {2}p\n/);
  });
});

describe("usageOf", () => {
  it("keeps the brackets of optional arguments", () => {
    assert.equal(
      usageOf({ ...command, options: [], arguments: "<image> [directory]" }),
      "perigee image rm IMAGE [DIRECTORY]",
    );
  });
});

describe("exitStatusLines", () => {
  it("of run speak of the app's status", () => {
    assert.match(exitStatusLines({ ...command, kind: "run", notes: [] }).join("\n"), /the app's own.*\n125 /);
  });
  it("let a note say more than the common line", () => {
    const lines = exitStatusLines({ ...command, notes: ["1: a pod could not be removed"] });
    assert.deepEqual(
      lines.filter((line) => line.startsWith("1 ")),
      ["1  a pod could not be removed"],
    );
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
