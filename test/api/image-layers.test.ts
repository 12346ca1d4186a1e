import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { withLayers } from "../../src/api/image-layers.ts";
import { renderImage } from "../../src/api/render-image.ts";
import { loadSettings } from "../../src/api/settings.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("withLayers", () => {
  it("gives a stored image and a file with the same content the same plan", async (t) => {
    const { home, settings, ids, store } = await storedImages(t);
    const { blobPath } = await import("../../src/store/layout.ts");
    const { readRecordSync } = await import("../../src/store/lookup.ts");
    const image = join(home, "copy.aci");
    writeFileSync(image, readFileSync(blobPath(store, readRecordSync(store, ids.top)?.archive.sha512 ?? "")));
    const look = (which: string) =>
      withLayers(settings, { image: which }, async ({ root, plan, manifest, factsOf }) => [
        ...[root.id, root.name, root.labels, root.tarSize, plan, manifest.toString()],
        plan.layers.map(({ id }) => factsOf(id).name),
      ]);
    assert.deepEqual(await look(image), await look("example.com/top"));
  });

  it("needs no store for a file that depends on nothing, and its own whitelist counts", async (t) => {
    const { home, file } = await storedImages(t);
    const image = await file("lone.aci", { name: "example.com/lone", whitelist: ["/a"] }, [
      { path: "a", content: "1" },
      { path: "b", content: "2" },
    ]);
    const data = join(home, "nowhere");
    const settings = await loadSettings({ dir: data });
    const directory = join(home, "out");
    const { name, layers } = await renderImage(settings, { image, directory, rootfsOnly: true });
    assert.deepEqual([name, layers.length], ["example.com/lone", 1]);
    assert.deepEqual([existsSync(join(directory, "a")), existsSync(join(directory, "b"))], [true, false]);
    assert.equal(existsSync(data), false);
  });

  it("lays a file over what the store has, and says what is not there", async (t) => {
    const { home, settings, file } = await storedImages(t);
    const on = (name: string) => ({ name: "example.com/over", dependencies: [{ imageName: `example.com/${name}` }] });
    const image = await file("over.aci", on("base"), [{ path: "bin/base", content: "mine" }]);
    const directory = join(home, "out");
    await renderImage(settings, { image, directory, rootfsOnly: true });
    assert.equal(readFileSync(join(directory, "bin/base"), "utf8"), "mine");
    assert.equal(readFileSync(join(directory, "bin/twin"), "utf8"), "base", "another name of the replaced file");
    const other = await file("other.aci", on("absent"), []);
    await assert.rejects(
      renderImage(settings, { image: other, directory, overwrite: true }),
      fails("NOT_FOUND", /over depends on example\.com\/absent/, { hint: /perigee fetch example\.com\/absent/ }),
    );
    assert.ok(existsSync(join(directory, "bin/base")), "as it was before");
  });

  it("refuses a file that became another image between its plan and its files", async (t) => {
    const { settings, file } = await storedImages(t);
    const image = await file("a.aci", { name: "example.com/a" }, [{ path: "a", content: "1" }]);
    const changed = withLayers(settings, { image }, async ({ plan, archiveOf }) => {
      await file("a.aci", { name: "example.com/a" }, [{ path: "a", content: "2" }]);
      const { laidMembers } = await import("../../src/store/rendering.ts");
      for await (const { member } of laidMembers(archiveOf, plan.layers, { log: settings.log })) assert.ok(member);
    });
    await assert.rejects(changed, fails("DIGEST_MISMATCH", /another image/));
  });
});
