import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type OutgoingTree, outgoingLayer } from "../../src/oci/export-layer.ts";
import { readTar } from "../../src/tar/read.ts";
import { directory, file, hardlink, layer, symlink } from "../helpers/oci-images.ts";
import type { RawEntry } from "../helpers/raw-tar.ts";
import { chunks } from "../helpers/tar-bytes.ts";

type Wanted = readonly (readonly [string, "owner" | "content"])[];

function emptyTree(wanted: Wanted = []): OutgoingTree & { readonly gone: string[] } {
  const gone: string[] = [];
  return {
    ...{ directories: new Map(), noted: new Map(), wanted: new Map(wanted), gone },
    lost: (what) => gone.push(what),
  };
}

/** `path` of a file or link, `path/ MODE UID` of a directory. */
async function laid(tree: OutgoingTree, entries: readonly RawEntry[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { path, type, mode, uid, body } of outgoingLayer(readTar(chunks(layer(entries))), tree)) {
    for await (const _ of body);
    const name = path.toString("latin1");
    lines.push(type === "directory" ? `${name}/ ${mode.toString(8)} ${uid}` : name);
  }
  return lines;
}

describe("OCI-81: an image as one layer", () => {
  it("directories on the way are said again as the layers before say them, or plain", async () => {
    const tree = emptyTree();
    const odd = { mode: 0o2770, uid: 7 };
    assert.deepEqual(await laid(tree, [directory("./"), directory("d", odd), file("d/one")]), [
      ...["./ 755 0", "d/ 2770 7", "d/one"],
    ]);
    assert.deepEqual(await laid(tree, [file("d/two"), file("d/three"), file("new/sub/x")]), [
      ...["d/ 2770 7", "d/two", "d/three", "new/ 755 0", "new/sub/ 755 0", "new/sub/x"],
    ]);
    assert.deepEqual(await laid(tree, [directory("d", { mode: 0o700 }), file("d/x")]), ["d/ 700 0", "d/x"]);
    assert.deepEqual(await laid(tree, [file("d/y")]), ["d/ 700 0", "d/y"]);
  });

  it("what took the place of a directory hides it, and one in its place is new", async () => {
    const tree = emptyTree();
    await laid(tree, [directory("d", { uid: 7 }), directory("d/e", { uid: 8 }), directory("da", { uid: 9 })]);
    await laid(tree, [symlink("d", "elsewhere")]);
    assert.deepEqual(await laid(tree, [file("d/e/x"), file("da/x")]), [
      ...["d/ 755 0", "d/e/ 755 0", "d/e/x", "da/ 755 9", "da/x"],
    ]);
  });

  it("OCI-88: what would hide files, or be taken for a mark, is left out and told", async () => {
    const tree = emptyTree();
    const entries = [
      ...[file("a/.wh.b", ""), file(".wh.d/x", ""), file("plain"), hardlink("again", "plain")],
      ...[{ type: "3", name: "null", mode: 0o666 }, file(".wh.f"), hardlink("second", ".wh.f")],
    ];
    assert.deepEqual(await laid(tree, entries), ["plain", "again"]);
    assert.deepEqual(
      tree.gone.map((what) => what.split(":")[0]),
      ["a/.wh.b", ".wh.d/x", "null", ".wh.f", "second"],
    );
  });

  it("notes the files that the config needs, as the last layer leaves them", async () => {
    const tree = emptyTree([
      ["etc/passwd", "content"],
      ["srv/app", "owner"],
    ]);
    await laid(tree, [file("etc/passwd", "first"), file("srv/app", "", { uid: 7, gid: 8 })]);
    assert.equal(tree.noted.get("etc/passwd")?.content?.toString(), "first");
    assert.deepEqual(tree.noted.get("srv/app"), { uid: 7, gid: 8, content: undefined });
    await laid(tree, [symlink("etc/passwd", "other"), file("srv")]);
    assert.deepEqual([...tree.noted], []);
  });
});
