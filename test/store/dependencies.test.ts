import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { ImageID } from "../../src/schema/image-id.ts";
import { renderLayers, renderOrder, treeIdFor } from "../../src/store/dependencies.ts";
import { fails } from "../helpers/failures.ts";
import { fakeId } from "../helpers/images.ts";

interface OrderVector {
  readonly why: string;
  readonly root: string;
  readonly graph: Readonly<Record<string, readonly string[]>>;
  readonly expected: readonly string[];
  readonly contexts: readonly (readonly string[])[];
}

const vectors: readonly OrderVector[] = JSON.parse(readFileSync("spec/vectors/render/order.json", "utf8"));

/** The images of a graph written with letters. */
function graphOf(graph: OrderVector["graph"]): (id: ImageID) => readonly ImageID[] {
  const byId = new Map(Object.entries(graph).map(([name, below]) => [fakeId(name), below.map(fakeId)]));
  return (id) => byId.get(id) ?? [];
}

describe("renderOrder (ACE-4, ACE-6)", () => {
  for (const { why, root, graph, expected, contexts } of vectors) {
    it(why, () => {
      assert.deepEqual(renderOrder(fakeId(root), graphOf(graph)), expected.map(fakeId));
      assert.deepEqual(
        renderLayers(fakeId(root), graphOf(graph)).map((layer) => layer.context),
        contexts.map((context) => context.map(fakeId)),
      );
    });
  }

  it("A10: a cycle is refused and its images are named in order", () => {
    const graph = graphOf({ A: ["B"], B: ["C"], C: ["D"], D: ["B"] });
    const loop = ["B", "C", "D", "B"].map((name) => fakeId(name).slice(0, 19)).join(" → ");
    assert.throws(() => renderOrder(fakeId("A"), graph), fails("DEPENDENCY_CYCLE", new RegExp(`${loop}$`)));
  });

  it("A10: an image that depends on itself is a cycle", () => {
    assert.throws(() => renderOrder(fakeId("A"), graphOf({ A: ["A"] })), fails("DEPENDENCY_CYCLE", /→/));
  });

  it("A10: a chain is followed to 64 levels and no further", () => {
    const chain = (length: number) => {
      const names = Array.from({ length: length + 1 }, (_, index) => `level ${index}`);
      return graphOf(Object.fromEntries(names.slice(1).map((name, index) => [names[index], [name]])));
    };
    assert.equal(renderOrder(fakeId("level 0"), chain(64)).length, 65);
    assert.throws(() => renderOrder(fakeId("level 0"), chain(65)), fails("DEPENDENCY_DEPTH", /64/));
    assert.throws(() => renderOrder(fakeId("level 0"), chain(10_000)), fails("DEPENDENCY_DEPTH", /64/));
  });

  it("A10: doubled dependencies at every level end at a limit, not after 2^60 layers", () => {
    const names = Array.from({ length: 60 }, (_, index) => `level ${index}`);
    const graph = graphOf(Object.fromEntries(names.slice(1).map((name, index) => [names[index], [name, name]])));
    assert.throws(() => renderOrder(fakeId("level 0"), graph), fails("LIMIT_EXCEEDED", /4096/));
  });

  it("A10: ten thousand dependencies of one image end at a limit", () => {
    const wide = graphOf({ A: Array.from({ length: 10_000 }, (_, index) => `leaf ${index}`) });
    assert.throws(() => renderOrder(fakeId("A"), wide), fails("LIMIT_EXCEEDED", /4096/));
  });
});

describe("treeIdFor", () => {
  it("is the image's own ID for a lone image", () => {
    assert.equal(treeIdFor([fakeId("A")]), fakeId("A"));
  });

  it("depends on every image and on their order", () => {
    const one = treeIdFor([fakeId("B"), fakeId("A")]);
    assert.match(one, /^deps-sha512-[0-9a-f]{128}$/);
    assert.notEqual(one, treeIdFor([fakeId("C"), fakeId("A")]));
    assert.notEqual(one, treeIdFor([fakeId("A"), fakeId("B")]));
    assert.notEqual(one, treeIdFor([fakeId("B"), fakeId("B"), fakeId("A")]));
  });
});
