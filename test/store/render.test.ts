import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { emptyGround } from "../../src/image/ground.ts";
import { renderLayers } from "../../src/store/dependencies.ts";
import { compileWhitelist, type EntryName, isKept, placeEntries } from "../../src/store/render.ts";
import { fakeId } from "../helpers/images.ts";

interface TreeVector {
  readonly why: string;
  readonly root: string;
  readonly images: Readonly<
    Record<
      string,
      {
        readonly dependencies?: readonly string[];
        readonly whitelist?: readonly string[];
        readonly entries?: readonly (readonly [path: string, type: string, link?: string])[];
      }
    >
  >;
  readonly expected: Readonly<Record<string, string>>;
}

const vectors: readonly TreeVector[] = JSON.parse(readFileSync("spec/vectors/render/trees.json", "utf8"));

/** A directory tree of the simplest kind: what the unpacker of spec/shim.md does with a stream of entries. */
function unpacker() {
  const files = new Map<string, string>();
  const isDirectory = (path: string): boolean => /^directory/.test(files.get(path) ?? "");
  const remove = (path: string): void => {
    for (const other of [...files.keys()]) {
      if (other === path || other.startsWith(`${path}/`)) files.delete(other);
    }
  };
  const put = (path: string, type: string, image: string, link: string): void => {
    const parts = path.split("/");
    for (let end = 1; end < parts.length; end += 1) {
      const parent = parts.slice(0, end).join("/");
      assert.ok(!files.has(parent) || isDirectory(parent), `${path} would be written through ${parent}`);
      if (!files.has(parent)) files.set(parent, "directory");
    }
    if (!(type === "directory" && isDirectory(path))) remove(path);
    if (type === "hardlink") {
      const target = files.get(link);
      assert.ok(target !== undefined && !isDirectory(link), `${path} is a hard link to ${link}, which is not there`);
      files.set(path, target);
    } else files.set(path, image === "" ? type : `${type} of ${image}`);
  };
  return { files, put };
}

function render({ root, images }: TreeVector): Readonly<Record<string, string>> {
  const names = new Map(Object.keys(images).map((name) => [fakeId(name), name]));
  const layers = renderLayers(fakeId(root), (id) => (images[names.get(id) ?? ""]?.dependencies ?? []).map(fakeId));
  const { files, put } = unpacker();
  const ground = emptyGround();
  for (const layer of layers) {
    const name = names.get(layer.id) ?? "";
    const whitelists = layer.context
      .map((id) => compileWhitelist(images[names.get(id) ?? ""]?.whitelist ?? []))
      .filter((list) => list !== undefined);
    const entries: EntryName[] = (images[name]?.entries ?? []).map(([path, type, link = ""]) => ({ path, type, link }));
    const placements = placeEntries(entries, whitelists);
    for (const entry of entries) {
      const placement = placements.get(entry.path);
      if (placement === undefined) continue;
      for (const parent of ground.lay(placement.path, entry.type === "directory")) put(parent, "directory", "", "");
      put(placement.path, entry.type, name, placement.link);
    }
  }
  return Object.fromEntries(files);
}

describe("rendering (ACE-5, ACE-7)", () => {
  for (const vector of vectors) {
    it(vector.why, () => assert.deepEqual(render(vector), vector.expected));
  }
});

describe("isKept", () => {
  const file = (path: string): EntryName => ({ path, type: "file", link: "" });

  it("ACE-7: keeps the root whatever the lists say", () => {
    const list = compileWhitelist(["/x"]);
    assert.ok(list !== undefined);
    assert.equal(isKept({ path: ".", type: "directory", link: "" }, [list]), true);
  });

  it("ACE-7: a parent of a listed path stays only as a directory", () => {
    const list = compileWhitelist(["/a/b"]);
    assert.ok(list !== undefined);
    assert.equal(isKept({ path: "a", type: "directory", link: "" }, [list]), true);
    assert.equal(isKept({ path: "a", type: "symlink", link: "b" }, [list]), false);
  });

  it("compares bytes: a listed name in UTF-8 is the member's bytes", () => {
    const list = compileWhitelist(["/grüße"]);
    assert.ok(list !== undefined);
    assert.equal(isKept(file(Buffer.from("grüße").toString("latin1")), [list]), true);
    assert.equal(isKept(file(Buffer.from("grüße", "latin1").toString("latin1")), [list]), false);
  });

  it("A11: a list of a hundred thousand paths is one look-up", () => {
    const list = compileWhitelist(Array.from({ length: 100_000 }, (_, index) => `/d${index % 100}/f${index}`));
    assert.ok(list !== undefined);
    assert.equal(list.paths.size, 100_000);
    assert.equal(isKept({ path: "d7", type: "directory", link: "" }, [list]), true);
    assert.equal(isKept({ path: "d", type: "directory", link: "" }, [list]), false);
    assert.equal(isKept(file("d7/f7"), [list]), true);
    assert.equal(isKept(file("d7/f8"), [list]), false);
  });

  it("A11: the parents of a hostile list cost no memory: two thousand paths of a thousand levels", () => {
    const deep = "/a".repeat(1000);
    const before = process.memoryUsage().heapUsed;
    const list = compileWhitelist(Array.from({ length: 2000 }, (_, index) => `/x${index}${deep}`));
    assert.ok(list !== undefined);
    assert.ok(process.memoryUsage().heapUsed - before < 100 * 1024 * 1024);
    assert.equal(isKept({ path: `x7${deep.slice(0, 900)}`, type: "directory", link: "" }, [list]), true);
    assert.equal(isKept({ path: `x7${deep.slice(0, 900)}b`, type: "directory", link: "" }, [list]), false);
    assert.equal(isKept(file(`x7${deep}`), [list]), true);
  });
});
