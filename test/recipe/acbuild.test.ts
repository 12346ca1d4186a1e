import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAcbuildScript, readAcbuildScript } from "../../src/recipe/acbuild.ts";
import { Recipe } from "../../src/recipe/document.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const parse = (text: string) => parseAcbuildScript(Buffer.from(text), "s", { context: "/nonexistent" });

const whole = `#!/usr/bin/env acbuild-script
begin example.com/debian:12   # a base
set-name example.com/web
label add version 1.0
run apt-get update && true
copy-to-dir conf/a conf/b /etc/web
environment add LANG C
port add http tcp 80
set-user www-data
set-exec -- /usr/sbin/web --foreground
write --overwrite web.aci
end
`;

describe("parseAcbuildScript", () => {
  it("makes the recipe that the script means, in its order", async () => {
    const { recipe, output, notes, file } = await parse(whole);
    assert.deepEqual(
      recipe,
      Recipe.parse({
        name: "example.com/web",
        base: { image: "example.com/debian:12" },
        steps: [
          { name: "example.com/web" },
          { label: { version: "1.0" } },
          { run: ["apt-get", "update", "&&", "true"], network: "host" },
          { copy: { from: ["conf/a", "conf/b"], to: "/etc/web/", owner: "keep" } },
          { environment: { LANG: "C" } },
          { port: { name: "http", protocol: "tcp", port: 80 } },
          { user: "www-data" },
          { exec: ["/usr/sbin/web", "--foreground"] },
        ],
      }),
    );
    assert.deepEqual([output, notes, file], [{ path: "web.aci", overwrite: true }, [], "s"]);
  });
  it("knows where each step stands", async () => {
    const { locate } = await parse(whole);
    assert.deepEqual(locate(["steps", 2]), { file: "s", line: 5, column: 1 });
    assert.deepEqual(locate(["steps", 2, "run"]), { file: "s", line: 5, column: 1 });
    assert.deepEqual(locate(["base"]), { file: "s", line: 2, column: 7 });
    assert.deepEqual(locate(["name"]), { line: 1, column: 1 });
  });
  it("ACB-6: refuses an order in which something would be lost", async () => {
    for (const [text, message] of [
      ["set-name a", /^s:1:1: ACB-6: set-name before begin/],
      ["begin\nbegin", /^s:2:1: ACB-6: a second begin/],
      ["begin\nset-name a\nend\nset-user 0", /^s:4:1: ACB-6: set-user behind end/],
      ["begin\nset-name a\nwrite a.aci\nset-user 0", /^s:4:1: ACB-6: set-user behind write/],
      ["begin\nset-name a\nwrite a.aci\nwrite b.aci", /^s:4:1: ACB-6: a script writes one image/],
      ["begin", /^s:1:1: ACB-6: the image has no name/],
      ["", /^s:1:1: ACB-6: the script begins with no image/],
      ["# nothing", /ACB-6/],
    ] as const) {
      await assert.rejects(parse(text), fails("RECIPE_INVALID", message), text);
    }
  });
  it("ACB-1: is UTF-8, without a byte order mark that would be part of the first command", async () => {
    const options = { context: "/nonexistent" };
    await assert.rejects(parseAcbuildScript(Buffer.from([0xff]), "s", options), fails("RECIPE_INVALID", /ACB-1/));
    await assert.rejects(parse("\ufeffbegin"), fails("RECIPE_INVALID", /ACB-3/));
  });
  it("says what is not done as acbuild did it", async () => {
    const shell = await parse(
      'begin\nset-name a\nlabel add v "$V"\nlabel add w \'$W\'\nlabel add x \\$X\nrun -- sh -c "$Y"\n',
    );
    assert.deepEqual(shell.notes, ["s:3:13: $V is taken as it stands: nothing is substituted"]);
    const { notes } = await parse(
      "begin --insecure x\nset-name a\nrun --engine chroot x\ncat-manifest --pretty-print\n",
    );
    assert.deepEqual(
      notes.map((note) => note.split(" ")[0]),
      ["begin", "run", "cat-manifest"],
    );
  });
});

describe("readAcbuildScript", () => {
  it("reads scripts in scripts and the values of isolators, relative to the context", async (t) => {
    const context = await temporaryDirectory(t);
    await mkdir(join(context, "parts"));
    await writeFile(join(context, "main"), "begin\nset-name example.com/a\nscript parts/limits\nend\n");
    await writeFile(join(context, "parts/limits"), "isolator add resource/memory parts/memory.json\n");
    await writeFile(join(context, "parts/memory.json"), '{"limit": "64M"}');
    const { recipe } = await readAcbuildScript(join(context, "main"), { context });
    assert.deepEqual(recipe.steps.at(-1), { isolator: { name: "resource/memory", value: { limit: "64M" } } });
  });
  it("names the file that a complaint is about", async (t) => {
    const context = await temporaryDirectory(t);
    await writeFile(join(context, "main"), "begin\nset-name example.com/a\nscript part\n");
    await writeFile(join(context, "part"), "\nset-user\n");
    const path = join(context, "main");
    await assert.rejects(readAcbuildScript(path, { context }), fails("RECIPE_INVALID", /^part:2:1: ACB-3/));
    await writeFile(join(context, "part"), "script part\n");
    await assert.rejects(readAcbuildScript(path, { context }), fails("RECIPE_INVALID", /too deep/));
    await writeFile(join(context, "part"), "script\n");
    await assert.rejects(readAcbuildScript(path, { context }), fails("RECIPE_INVALID", /script FILE/));
    await assert.rejects(readAcbuildScript(join(context, "none"), { context }), fails("NOT_FOUND"));
  });
  it("ends with a script whose lines never do", async (t) => {
    const context = await temporaryDirectory(t);
    await writeFile(join(context, "main"), `begin\nset-name example.com/a\n${"script part\n".repeat(100)}`);
    await writeFile(join(context, "part"), "set-user 0\n".repeat(101));
    await assert.rejects(
      readAcbuildScript(join(context, "main"), { context }),
      fails("RECIPE_INVALID", /^part:\d+:1: ACB-3: more than 10000 commands/),
    );
  });
});
