import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { renderImage } from "../../src/api/render-image.ts";
import { silentLog } from "../../src/base/log.ts";
import { ensureTree } from "../../src/store/trees.ts";
import { fails } from "../helpers/failures.ts";
import { describeTree } from "../helpers/image-tree.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("renderImage", () => {
  it("lays what an app would see, as the store's tree has it, for the owner alone", async (t) => {
    const { home, settings, store, ids } = await storedImages(t);
    const directory = join(home, "out");
    const rendered = await renderImage(settings, { image: "example.com/top", directory });
    assert.deepEqual(rendered, {
      id: ids.top,
      name: "example.com/top",
      directory,
      layers: [ids.base, ids.middle, ids.base, ids.top],
      skipped: [],
    });
    assert.equal((await stat(directory)).mode & 0o7777, 0o700);
    assert.equal(JSON.parse(await readFile(join(directory, "manifest"), "utf8")).name, "example.com/top");
    const { rootfs } = await ensureTree(store, ids.top, { log: silentLog });
    assert.deepEqual(describeTree(join(directory, "rootfs")), describeTree(rootfs));
    assert.deepEqual((await readdir(join(directory, "rootfs"), { recursive: true })).sort(), [
      ...["big", "bin", "bin/base", "bin/shared", "etc", "etc/conf"],
    ]);
    assert.equal(await readFile(join(directory, "rootfs/bin/shared"), "utf8"), "of base", "base comes again, later");
    assert.deepEqual((await readdir(home)).sort(), ["data", "out"]);
  });

  it("leaves a directory that is not empty, and what must not be replaced", async (t) => {
    const { home, settings, add } = await storedImages(t);
    const directory = join(home, "out");
    await mkdir(directory);
    await writeFile(join(directory, "mine"), "");
    const options = { image: "example.com/top", directory };
    await assert.rejects(renderImage(settings, options), fails("ALREADY_EXISTS", /not empty/));
    await assert.rejects(renderImage(settings, { ...options, directory: "/" }), fails("USAGE"));
    await assert.rejects(
      renderImage(settings, { ...options, directory: home, overwrite: true }),
      fails("USAGE", /store/),
    );
    await add({ name: "example.com/broken", dependencies: [{ imageName: "example.com/none" }] }, []);
    await assert.rejects(
      renderImage(settings, { image: "example.com/broken", directory, overwrite: true }),
      fails("NOT_FOUND", /depends on example\.com\/none/),
    );
    const signal = AbortSignal.abort();
    await assert.rejects(renderImage(settings, { ...options, overwrite: true, signal }), fails("INTERRUPTED"));
    assert.deepEqual(await readdir(directory), ["mine"]);
    await renderImage(settings, { ...options, overwrite: true, rootfsOnly: true });
    assert.deepEqual((await readdir(directory)).sort(), ["big", "bin", "etc"]);
    assert.deepEqual((await readdir(home)).sort(), ["data", "out"]);
  });
});
