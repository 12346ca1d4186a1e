import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { buildImage } from "../../src/api/build.ts";
import { checkBuild, copyParts } from "../../src/api/check-build.ts";
import { fails } from "../helpers/failures.ts";
import { isRoot, makeLayout } from "../helpers/image-tree.ts";
import { testSettings } from "../helpers/settings.ts";
import "../helpers/shim.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function scene(t: TestContext) {
  const home = await temporaryDirectory(t);
  const directory = join(home, "layout");
  await mkdir(directory);
  const { manifest, rootfs } = makeLayout(directory);
  return { home, directory, manifest, rootfs, output: join(home, "a.aci") };
}

const leftOver = async () =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`perigee-check-${process.pid}-`));

describe("a build that is checked (REPRO-1)", () => {
  it("is the same from a copy, in another process, with another umask, time zone, language and directory", async (t) => {
    const { directory, output } = await scene(t);
    const built = await buildImage(testSettings(), { directory, output, check: true, sbom: "spdx" });
    assert.deepEqual(built.check, { copied: true });
    const plain = await buildImage(testSettings(), { directory, output: `${output}.aci`, sbom: "spdx" });
    assert.equal(plain.id, built.id);
    assert.deepEqual(await leftOver(), []);
  });
  it("names the first entry and field that differ, and leaves no image", async (t) => {
    const { directory, output, manifest, rootfs, home } = await scene(t);
    const { path } = await buildImage(testSettings(), { directory, output });
    const check = checkBuild(testSettings(), {
      path,
      prepare: async (copy) => {
        const parts = { manifest: await readFile(manifest), manifestPath: manifest, rootfs };
        const { words, copied } = await copyParts(testSettings(), parts, copy, undefined);
        await utimes(join(copy, "rootfs/bin/empty"), 5, 5);
        return { words, copied };
      },
    });
    await assert.rejects(
      check,
      fails("DIGEST_MISMATCH", /the first difference is mtime of rootfs\/bin\/empty/, { cause: /against 5$/ }),
    );
    assert.deepEqual(await readdir(home), ["layout"]);
    assert.deepEqual(await leftOver(), []);
  });
  it("tells when the second build fails, and why", async (t) => {
    const { directory, output } = await scene(t);
    const { path } = await buildImage(testSettings(), { directory, output });
    const prepare = async () => ({ words: ["--manifest", "/nonexistent", "--rootfs", "/nonexistent"], copied: false });
    await assert.rejects(
      checkBuild(testSettings(), { path, prepare }),
      fails("DIGEST_MISMATCH", /failed the second time/, { cause: /NOT_FOUND/ }),
    );
    await assert.rejects(readFile(output));
  });
  it("REPRO-2: hands SOURCE_DATE_EPOCH on", async (t) => {
    const { directory, output } = await scene(t);
    const settings = { ...testSettings(), sourceDateEpoch: 1_000_000 };
    assert.ok(
      (await buildImage(settings, { directory, output, check: true, compression: "none", ownerRoot: true })).check,
    );
  });
  it("reads the tree itself where the caller cannot make the same again", {
    skip: isRoot ? false : "needs root",
  }, async (t) => {
    const { directory, rootfs, manifest } = await scene(t);
    await writeFile(join(rootfs, "shared"), "x");
    execFileSync("chmod", ["-R", "a+rX", directory]);
    const settings = { ...testSettings(), caller: { uid: 65_534, gid: 65_534, isRoot: false } };
    const copy = await temporaryDirectory(t);
    const parts = { manifest: await readFile(manifest), manifestPath: manifest, rootfs };
    const { words, copied } = await copyParts(settings, parts, copy, undefined);
    assert.deepEqual([copied, words.at(-1)], [false, rootfs]);
  });
});
