import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { perigee } from "../helpers/command.ts";
import { storedImages } from "../helpers/stored-images.ts";

describe("perigee image tree", () => {
  it("draws the graph, in which a diamond's foot stands twice", async (t) => {
    const { data } = await storedImages(t);
    const { status, stdout } = perigee(data, "image", "tree", "example.com/top");
    assert.equal(status, 0);
    assert.deepEqual(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/ {2}sha512.*/, "")),
      ["example.com/top:2.0", "├─ example.com/middle", "│  └─ example.com/base:1", "└─ example.com/base:1"],
    );
  });

  it("lists files with the images they come from", async (t) => {
    const { data } = await storedImages(t);
    const { stdout } = perigee(data, "image", "tree", "--files", "example.com/top");
    assert.match(stdout, /^IMAGE +TYPE +SIZE +PATH\n/m);
    assert.match(stdout, /^example\.com\/base:1 +file +7 B +bin\/shared\n/m);
    assert.match(stdout, /^example\.com\/top:2\.0 +file +4 B +etc\/conf\n/m);
    const { images, files } = JSON.parse(perigee(data, "image", "tree", "--format=json", "example.com/top").stdout);
    assert.equal(images.length, 3);
    assert.equal(files, undefined);
  });

  it("takes the path of a file; what it depends on and is not stored is named, with the way to get it", async (t) => {
    const { data, file } = await storedImages(t);
    const on = (name: string) => ({ name: "example.com/over", dependencies: [{ imageName: `example.com/${name}` }] });
    const { status, stdout } = perigee(data, "image", "tree", await file("over.aci", on("base"), []));
    assert.equal(status, 0);
    assert.match(stdout, /^example\.com\/over .*\n└─ example\.com\/base:1 /);
    const missing = perigee(data, "image", "tree", await file("missing.aci", on("absent"), []));
    assert.equal(missing.status, 3);
    assert.match(
      missing.stderr,
      /depends on example\.com\/absent, which is not stored\n +try: perigee fetch example\.com\/absent/,
    );
    assert.equal(perigee(data, "image", "tree", "./nowhere.aci").status, 3);
  });

  it("names a circle, and ends with 3 for an unknown image", async (t) => {
    const { data, add } = await storedImages(t);
    await add({ name: "example.com/x", dependencies: [{ imageName: "example.com/x" }] }, []);
    const circle = perigee(data, "image", "tree", "example.com/x");
    assert.equal(circle.status, 1);
    assert.match(circle.stderr, /error\[DEPENDENCY_CYCLE\].*sha512-\w+ → sha512-/);
    assert.equal(perigee(data, "image", "tree", "example.com/none").status, 3);
  });
});
