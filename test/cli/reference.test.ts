import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type Command, defineCommand } from "../../src/cli/command.ts";
import { manPage, markdownReference, overviewPage } from "../../src/cli/reference.ts";

const command: Command = defineCommand({
  name: "image rm",
  arguments: "<image...>",
  summary: "Remove images",
  description: ".starts with a dot and has a \\ in it",
  options: [["--mode <a|b>", "one-way", "a"]],
  examples: ["perigee image rm x"],
  notes: ["6: in use", "advice"],
  run: async () => undefined,
  text: () => [],
});

describe("markdownReference", () => {
  it("has a section for the command, with bars escaped in tables", () => {
    const text = markdownReference([command]);
    assert.match(text, /\n## perigee image rm\n/);
    assert.ok(text.includes("| `--mode a\\|b` | one-way (default: a) |"));
    assert.match(text, /\n6 {2}in use\n/);
    assert.match(text, /\nNote: advice\.\n/);
    assert.match(text, /\n## exit-codes\n/);
  });
});

describe("manPage", () => {
  it("escapes what roff would act on", () => {
    const text = manPage(command);
    assert.ok(text.includes("\n\\&.starts with a dot and has a \\e in it\n"));
    assert.ok(text.includes(".B \\-\\-mode a|b\none\\-way (default: a)\n"));
    assert.match(text, /^\.TH PERIGEE\\-IMAGE\\-RM 1$/m);
  });
});

describe("overviewPage", () => {
  it("names the commands", () => assert.match(overviewPage([command]), /\.TP\n\.B image rm\nRemove images\n/));
});

describe("docs/", () => {
  it("is what the command table says (npm run reference writes it anew)", async () => {
    const script = pathToFileURL(join(process.cwd(), "scripts/reference.mjs")).href;
    const { renderReference }: { renderReference(): Promise<ReadonlyMap<string, string>> } = await import(script);
    const pages = await renderReference();
    for (const [name, text] of pages) assert.equal(readFileSync(join("docs", name), "utf8"), text, name);
    const manuals = readdirSync("docs/man").map((name) => `man/${name}`);
    assert.deepEqual(
      manuals.filter((name) => !pages.has(name)),
      [],
    );
  });
});
