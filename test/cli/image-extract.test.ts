import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openStore } from "../../src/store/layout.ts";
import { perigee } from "../helpers/command.ts";
import { importReal, makeImage } from "../helpers/images.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

describe("perigee image extract", () => {
  it("unpacks an image and prints where", async (t) => {
    const data = await temporaryDirectory(t);
    const home = await temporaryDirectory(t);
    const image = await makeImage({ name: "example.com/web" }, [{ path: "hello", content: "hello" }]);
    const { id } = await importReal(await openStore(data), image);
    const out = join(home, "out");
    assert.deepEqual(perigee(data, "image", "extract", "example.com/web", out), {
      status: 0,
      stdout: `${out}\n`,
      stderr: `wrote ${out}: example.com/web, 2 entries, 5 B\n`,
    });
    assert.equal(await readFile(join(out, "rootfs", "hello"), "utf8"), "hello");
    const again = perigee(data, "image", "extract", id, out);
    assert.equal(again.status, 6);
    assert.match(again.stderr, /error\[ALREADY_EXISTS\].*\n(.*\n)* {2}try: .*--overwrite/);
    const replaced = perigee(data, "image", "extract", "--rootfs-only", "--overwrite", "--format=json", id, out);
    assert.deepEqual(JSON.parse(replaced.stdout), {
      id,
      name: "example.com/web",
      directory: out,
      entries: 2,
      fileBytes: 5,
      skipped: [],
    });
    assert.deepEqual(await readdir(out), ["hello"]);
    assert.deepEqual(await readdir(home), ["out"]);
  });

  it("refuses / with 2 and an unknown image with 3, leaving nothing", async (t) => {
    const data = await temporaryDirectory(t);
    const home = await temporaryDirectory(t);
    await importReal(await openStore(data), await makeImage({ name: "example.com/web" }, []));
    assert.equal(perigee(data, "image", "extract", "--overwrite", "example.com/web", "/").status, 2);
    assert.equal(perigee(data, "image", "extract", "example.com/none", join(home, "out")).status, 3);
    assert.equal(perigee(data, "image", "extract", "example.com/web").status, 2);
    assert.deepEqual(await readdir(home), []);
  });
});
