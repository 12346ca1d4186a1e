import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { imageTree } from "../../src/api/image-tree.ts";
import { fails } from "../helpers/failures.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("imageTree", () => {
  it("ACE-6: gives every image once with what is right below it, and the order of layers", async (t) => {
    const { settings, ids } = await storedImages(t);
    const tree = await imageTree(settings, { image: "example.com/top" });
    assert.equal(tree.root, ids.top);
    assert.deepEqual(
      tree.images.map(({ name, dependencies }) => [name, dependencies]),
      [
        ["example.com/top", [ids.middle, ids.base]],
        ["example.com/middle", [ids.base]],
        ["example.com/base", []],
      ].toSorted(
        (a, b) => tree.images.findIndex((i) => i.name === a[0]) - tree.images.findIndex((i) => i.name === b[0]),
      ),
    );
    assert.deepEqual(tree.layers, [ids.base, ids.middle, ids.base, ids.top]);
    assert.equal(tree.files, undefined);
  });

  it("tells of every file of the tree which image it comes from", async (t) => {
    const { settings, ids } = await storedImages(t);
    const { files } = await imageTree(settings, { image: "example.com/top", files: true });
    const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    assert.deepEqual(
      files?.map(({ path, type, size, image }) => `${path} ${type} ${size} ${names.get(image)}`),
      [
        "big file 3000 top",
        "bin directory 0 base",
        "bin/base file 4 base",
        "bin/shared file 7 base",
        "etc directory 0 top",
        "etc/conf file 4 top",
      ],
    );
  });

  it("looks at a file as at a stored image: it lies over what the store has", async (t) => {
    const { settings, ids, file } = await storedImages(t);
    const dependencies = [{ imageName: "example.com/base" }];
    const image = await file("over.aci", { name: "example.com/over", dependencies }, [
      { path: "bin/base", content: "mine" },
    ]);
    const { root, images, layers, files } = await imageTree(settings, { image, files: true });
    assert.deepEqual(layers, [ids.base, root]);
    assert.deepEqual(
      images.map(({ id, name, dependencies }) => [id, name, dependencies]),
      [
        [root, "example.com/over", [ids.base]],
        [ids.base, "example.com/base", []],
      ],
    );
    assert.deepEqual(
      files?.map(({ path, image: from }) => [path, from === root]),
      [
        ["bin", false],
        ["bin/base", true],
        ["bin/shared", false],
        ["bin/twin", false],
      ],
    );
  });

  it("refuses a circle by its names, and a missing image", async (t) => {
    const { settings, add } = await storedImages(t);
    await add({ name: "example.com/x", dependencies: [{ imageName: "example.com/y" }] }, []);
    await add({ name: "example.com/y", dependencies: [{ imageName: "example.com/x" }] }, []);
    await assert.rejects(imageTree(settings, { image: "example.com/x" }), fails("DEPENDENCY_CYCLE", /→/));
    await assert.rejects(imageTree(settings, { image: "example.com/none" }), fails("NOT_FOUND"));
  });
});
