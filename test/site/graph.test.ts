import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DependencyNode, dependencyTree, type GraphImage, usersOf } from "../../src/site/graph.ts";
import { siteImage } from "../helpers/site.ts";

type Wanted = string | Readonly<Record<string, unknown>>;

function image(name: string, version: string, ...wanted: readonly Wanted[]): GraphImage {
  const dependencies = wanted.map((one) => (typeof one === "string" ? { imageName: one } : one));
  const { file, facts } = siteImage(name, version, { dependencies });
  return { file, name, version, id: facts?.id, manifest: facts?.manifest };
}

const shape = (nodes: readonly DependencyNode[]): unknown =>
  nodes.map(({ dependency, image: found, below, end }) => [
    dependency.imageName,
    found?.version,
    ...(end === undefined ? [] : [end]),
    ...(below.length === 0 ? [] : [shape(below)]),
  ]);

describe("dependencyTree", () => {
  it("follows what is of the site", () => {
    const images = [image("a", "1", "b", "far/x"), image("b", "1", "c"), image("c", "1")];
    assert.deepEqual(shape(dependencyTree(images[0] as GraphImage, images)), [
      ["b", "1", [["c", "1"]]],
      ["far/x", undefined],
    ]);
  });
  it("labels and image IDs choose; without them the highest version", () => {
    const images = ["1.9", "1.10", "1.2"].map((version) => image("b", version));
    const wanted = (more: Readonly<Record<string, unknown>>) =>
      dependencyTree(image("a", "1", { imageName: "b", ...more }), images)[0]?.image?.version;
    assert.equal(wanted({}), "1.10");
    assert.equal(wanted({ labels: [{ name: "version", value: "1.9" }] }), "1.9");
    assert.equal(wanted({ imageID: images[2]?.id?.slice(0, 40) }), "1.2");
    assert.equal(wanted({ imageID: "sha512-ffffffffffff" }), undefined);
  });
  it("A10: a loop ends, and so do doubling and depth", () => {
    const loop = [image("a", "1", "b"), image("b", "1", "a")];
    assert.deepEqual(shape(dependencyTree(loop[0] as GraphImage, loop)), [["b", "1", [["a", "1", "cycle"]]]]);
    const double = Array.from({ length: 60 }, (_, i) => image(`n${i}`, "1", `n${i + 1}`, `n${i + 1}`));
    const count = (nodes: readonly DependencyNode[]): number =>
      nodes.reduce((sum, { below }) => sum + 1 + count(below), 0);
    assert.ok(count(dependencyTree(double[0] as GraphImage, double)) <= 300);
  });
});

describe("usersOf", () => {
  it("are the images that get this very one", () => {
    const [old, fresh] = [image("b", "1"), image("b", "2")];
    const images = [
      image("a", "1", "b"),
      image("z", "1", { imageName: "b", labels: [{ name: "version", value: "1" }] }),
      old,
      fresh,
    ];
    assert.deepEqual(
      usersOf(fresh, images).map(({ name }) => name),
      ["a"],
    );
    assert.deepEqual(
      usersOf(old, images).map(({ name }) => name),
      ["z"],
    );
  });
});
