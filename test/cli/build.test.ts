import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CommandContext } from "../../src/cli/command.ts";
import build from "../../src/cli/commands/build.ts";
import { readArchive } from "../../src/image/archive.ts";
import { compressionParameters } from "../../src/image/compress.ts";
import { sniffCompression } from "../../src/image/compression.ts";
import { perigee, perigeeIn } from "../helpers/command.ts";
import { commandContext, type GivenLine } from "../helpers/command-context.ts";
import { fails } from "../helpers/failures.ts";
import { makeLayout } from "../helpers/image-tree.ts";
import { testSettings } from "../helpers/settings.ts";
import "../helpers/shim.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
const at = (name: string) => join(temporary.path, name);

before(async () => {
  temporary = await makeTemporary();
  await mkdir(at("layout"));
  makeLayout(at("layout"));
});
after(() => temporary.remove());

async function buildIn(context: CommandContext) {
  const result = await build.run(context);
  assert.ok(typeof result === "object", "an image, and no shell");
  return result;
}

describe("perigee build", () => {
  async function run(line: GivenLine) {
    const context = commandContext(line);
    const result = await buildIn(context);
    return { result, lines: build.text(result, context) };
  }

  it("DIR OUT.aci prints the image ID and nothing else", async () => {
    const { result, lines } = await run({ args: [at("layout"), at("a.aci")], options: { compression: true } });
    assert.deepEqual(lines, [result.id]);
    const { id, compression } = await readArchive(createReadStream(at("a.aci")));
    assert.deepEqual([id, compression], [result.id, "gzip"]);
  });
  it("says where the image is, on standard error; without OUT a recipe names it", () => {
    writeFileSync(at("named.yaml"), 'name: example.com/named\nlabels: { version: "1.0" }\n');
    const { status, stdout, stderr } = perigeeIn(temporary.path, temporary.path, "build", "-f", "named.yaml");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^sha512-[0-9a-f]{128}\n$/);
    assert.match(stderr, /^wrote named-1\.0\.aci: [\d.]+ \S+$/m);
    assert.ok(existsSync(at("named-1.0.aci")));
  });
  it("what is for recipes is refused without one", async () => {
    for (const options of [{ context: "x" }, { "shell-at": "1" }]) {
      await assert.rejects(run({ args: [at("layout"), at("x.aci")], options }), fails("USAGE", /is for recipes/));
    }
  });
  it("--sbom and --check do what they say, of the kind that is named", async () => {
    const args = [at("layout"), at("s.aci")];
    const named = perigee(temporary.path, "build", "--sbom=cyclonedx", "--format=json", ...args);
    assert.equal(JSON.parse(named.stdout).sbom.path, `${at("s.aci")}.cdx.json`);
    assert.equal(perigee(temporary.path, "build", "--sbom=list", ...args).status, 2);
    const options = { compression: true, sbom: true, check: true, overwrite: true };
    const checked = (await run({ args, options })).result;
    assert.ok("sbom" in checked && "check" in checked);
    assert.deepEqual([checked.sbom?.kind, checked.check], ["spdx", { copied: true }]);
  });
  it("a script, a recipe and their options are told apart", async () => {
    const options = { file: "a.yaml", script: "b" };
    await assert.rejects(run({ args: [], options }), fails("USAGE", /not both/));
    await assert.rejects(run({ args: ["a", "b"], options: { script: "b" } }), fails("USAGE", /only the image/));
    await assert.rejects(run({ args: [], options: { script: at("none") } }), fails("NOT_FOUND", /script/));
  });
  it("--sbom is for recipes and scripts too", async () => {
    writeFileSync(at("billed.yaml"), "name: example.com/billed\n");
    writeFileSync(at("billed.acbuild"), "begin\nset-name example.com/billed\n");
    for (const [option, source] of [
      ["--file", "billed.yaml"],
      ["--script", "billed.acbuild"],
    ] as const) {
      const line = ["build", "--sbom=cyclonedx", "--overwrite", "--format=json", option, at(source), at("billed.aci")];
      const built = JSON.parse(perigee(temporary.path, ...line).stdout);
      assert.equal(built.sbom.path, `${at("billed.aci")}.cdx.json`);
      assert.deepEqual(built.compression, compressionParameters("gzip"));
      assert.deepEqual(Object.keys(built.compression).sort(), ["block", "kind", "level", "zlib"]);
    }
  });
  it("--manifest and --rootfs take the place of DIR", async () => {
    const parts = { manifest: at("layout/manifest"), rootfs: at("layout/rootfs") };
    const { result } = await run({ args: [at("b.aci")], options: parts });
    assert.equal((await readArchive(createReadStream(at("b.aci")))).id, result.id);
  });
  it("ACI-10: --no-compression, --owner-root and --overwrite reach the image", async () => {
    const args = [at("layout"), at("c.aci")];
    await run({ args });
    await assert.rejects(run({ args }), fails("ALREADY_EXISTS"));
    await run({ args, options: { overwrite: true, "owner-root": true } });
    const owners = new Set<number>();
    const { compression } = await readArchive(createReadStream(at("c.aci")), async (members) => {
      for await (const { uid, gid } of members) owners.add(uid).add(gid);
    });
    assert.deepEqual([compression, owners], ["none", new Set([0])]);
  });
  it("ACI-13: --compression zstd, also in a recipe and twice, is the same image in another wrapping", () => {
    writeFileSync(at("zstd.yaml"), "name: example.com/zstd\n");
    for (const source of [[at("layout")], ["--file", at("zstd.yaml")]]) {
      const id = (kind: string, ...more: string[]): string => {
        const line = ["build", "--overwrite", "--compression", kind, ...more, ...source, at("z.aci")];
        const { status, stdout, stderr } = perigee(temporary.path, ...line);
        assert.equal(status, 0, stderr);
        return stdout;
      };
      assert.equal(id("zstd", "--check"), id("gzip"));
      assert.equal(id("zstd"), id("none"));
      id("zstd");
      assert.equal(spawnSync("zstd", ["-tq", at("z.aci")]).status, 0);
      assert.equal(spawnSync("tar", ["-tf", at("z.aci")], { encoding: "utf8" }).stdout.split("\n")[0], "manifest");
      const patch = ["image", "patch-manifest", "--replace", "--name=example.com/other", "--compression=zstd"];
      assert.equal(perigee(temporary.path, ...patch, at("z.aci")).status, 0);
      assert.equal(sniffCompression(readFileSync(at("z.aci"))), "zstd");
    }
  });
  it("one argument without its options is a mistake of usage", async () => {
    await assert.rejects(run({ args: [at("layout")] }), fails("USAGE", /./, { hint: /perigee build DIR OUT\.aci/ }));
    const half = { args: [at("x.aci")], options: { manifest: at("layout/manifest") } };
    await assert.rejects(run(half), fails("USAGE"));
  });

  it("--file builds a recipe, with its own options", async () => {
    writeFileSync(at("recipe.yaml"), "name: example.com/made\nsteps:\n  - mkdir: {path: /srv}\n");
    const line = { args: [at("made.aci")], options: { file: at("recipe.yaml"), compression: true, cache: true } };
    const settings = { ...testSettings(), directories: { ...testSettings().directories, data: at("data") } };
    const first = await buildIn({ ...commandContext(line), settings });
    assert.equal((await readArchive(createReadStream(at("made.aci")))).id, first.id);
    await assert.rejects(build.run({ ...commandContext(line), settings }), fails("ALREADY_EXISTS"));
    const again = { ...line, options: { ...line.options, overwrite: true, context: temporary.path } };
    const second = await buildIn({ ...commandContext(again), settings });
    assert.ok("steps" in second);
    assert.deepEqual(second.steps, [{ number: 1, step: "mkdir: /srv", cached: true }]);
  });
  it("--file with what is not for it is a mistake of usage", async () => {
    const file = at("recipe.yaml");
    for (const options of [
      { manifest: "m" },
      { rootfs: "r" },
      { "owner-root": true },
      { "pull-policy": "always" },
      { "shell-at": "x" },
    ]) {
      await assert.rejects(
        run({ args: [at("y.aci")], options: { file, ...options } }),
        fails("USAGE"),
        JSON.stringify(options),
      );
    }
    await assert.rejects(
      run({ args: [at("y.aci"), at("z.aci")], options: { file } }),
      fails("USAGE", /only the image/),
    );
  });
});
