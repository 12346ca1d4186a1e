import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import build from "../../src/cli/commands/build.ts";
import { readArchive } from "../../src/image/archive.ts";
import { commandContext, type GivenLine } from "../helpers/command-context.ts";
import { fails } from "../helpers/failures.ts";
import { makeLayout } from "../helpers/image-tree.ts";
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

describe("perigee build", () => {
  async function run(line: GivenLine) {
    const context = commandContext(line);
    const result = await build.run(context);
    return { result, lines: build.text(result, context) };
  }

  it("DIR OUT.aci prints the image ID and nothing else", async () => {
    const { result, lines } = await run({ args: [at("layout"), at("a.aci")], options: { compression: true } });
    assert.deepEqual(lines, [result.id]);
    const { id, compression } = await readArchive(createReadStream(at("a.aci")));
    assert.deepEqual([id, compression], [result.id, "gzip"]);
  });
  it("--manifest and --rootfs take the place of DIR", async () => {
    const parts = { manifest: at("layout/manifest"), rootfs: at("layout/rootfs") };
    const { result } = await run({ args: [at("b.aci")], options: parts });
    assert.equal((await readArchive(createReadStream(at("b.aci")))).id, result.id);
  });
  it("--no-compression, --owner-root and --overwrite reach the image", async () => {
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
  it("one argument without its options is a mistake of usage", async () => {
    await assert.rejects(run({ args: [at("layout")] }), fails("USAGE", /./, { hint: /perigee build DIR OUT\.aci/ }));
    const half = { args: [at("x.aci")], options: { manifest: at("layout/manifest") } };
    await assert.rejects(run(half), fails("USAGE"));
  });
});
