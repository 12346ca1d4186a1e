/** A property, of trees made at random: build → read → extract → build is the identity. PERIGEE_SEED repeats a run. */
import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { readArchive } from "../../src/image/archive.ts";
import { buildArchive } from "../../src/image/build.ts";
import { extractArchive } from "../../src/image/extract.ts";
import { readTar } from "../../src/tar/read.ts";
import { writeTar } from "../../src/tar/write.ts";
import { walkTree } from "../helpers/attributes.ts";
import { isRoot, manifestText } from "../helpers/image-tree.ts";
import { Random, testSeed } from "../helpers/random.ts";
import { makeRandomTree } from "../helpers/random-tree.ts";
import { chunks, collect } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const manifest = Buffer.from(manifestText);
const trees = 8;

function build(rootfs: string, output: string, compression: "gzip" | "none") {
  return buildArchive({ manifest, rootfs, output, overwrite: false, compression, ownerRoot: false, log: silentLog });
}

describe("build → read → extract → build is the identity (ACI-4, ACI-11)", () => {
  const seed = testSeed();
  for (let index = 0; index < trees; index++) {
    it(`PERIGEE_SEED=${seed}, tree ${index}`, async (context) => {
      const directory = await temporaryDirectory(context);
      const [before, after] = [join(directory, "before"), join(directory, "after")];
      await mkdir(before);
      await mkdir(after);
      makeRandomTree(before, new Random(seed, index));
      const tree = walkTree(before);
      assert.ok(tree.size > 5);

      const first = await build(before, join(directory, "first.aci"), "none");
      const zipped = await build(before, join(directory, "zipped.aci"), "gzip");
      assert.equal(zipped.id, first.id);
      assert.deepEqual(walkTree(before), tree, "building changed the tree");

      const bytes = readFileSync(first.path);
      const written = await collect(writeTar(readTar(chunks(bytes, 65_536)), { textAcls: true }));
      assert.ok(written.equals(bytes), "the writer makes other bytes of what the reader read");
      const read = await readArchive(createReadStream(zipped.path));
      assert.equal(read.id, first.id);
      assert.equal(read.entries, tree.size);

      const summary = await extractArchive(createReadStream(zipped.path), after, { owner: isRoot, devices: true });
      assert.deepEqual(summary.skipped, []);
      assert.deepEqual(walkTree(after), tree);
      assert.equal((await build(after, join(directory, "second.aci"), "gzip")).id, first.id);
    });
  }
});
