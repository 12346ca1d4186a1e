/**
 * Differential: what the layers of an image show together is what umoci unpacks of the same image, entry by entry: of images that buildah built
 * and of layers that no builder makes. Seen through an overlay as pods see it, and through the store's own reader.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openStoreSync } from "../../src/store/layout.ts";
import { mergeLayers } from "../../src/store/merge.ts";
import { findTree, rootOf } from "../../src/store/trees.ts";
import { walkTree } from "../helpers/attributes.ts";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { directory, file, hardlink, type ImageParts, layer, symlink, writeLayout } from "../helpers/oci-images.ts";
import { Workspace } from "../helpers/program.ts";

const clean = leakSnapshot();
const work = new Workspace();
after(async () => {
  await work.close();
  await assertNothingLeft(clean);
});

let count = 0;
const begun = BigInt(Date.now()) * 1_000_000n;

function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = work.command(argv, { env });
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

type Tree = ReadonlyMap<string, string>;

/** The kernel's view: an overlay of the directories, as in a pod but without one on top. */
function seenByKernel(lowers: readonly string[]): Tree {
  if (lowers.length === 1) return walkTree(lowers[0] ?? "");
  const place = work.path(`view-${count++}`);
  mkdirSync(join(place, "seen"), { recursive: true });
  for (const [index, lower] of lowers.entries()) symlinkSync(lower, join(place, String(index)));
  const names = lowers.map((_, index) => index).join(":");
  execFileSync("mount", ["-i", "-t", "overlay", "overlay", "-o", `ro,lowerdir=${names}`, join(place, "seen")], {
    cwd: place,
  });
  try {
    return walkTree(join(place, "seen"));
  } finally {
    execFileSync("umount", [join(place, "seen")]);
  }
}

/** What umoci makes of the image; devices are no files of ours. */
function unpackedByUmoci(layout: string, tag: string): Tree {
  const bundle = work.path(`umoci-${count++}`);
  must(["umoci", "unpack", "--image", `${layout}:${tag}`, bundle]);
  return walkTree(join(bundle, "rootfs"));
}

/** Hard links across layers are two files to an overlay, and the groups of those that stay are counted anew. */
function comparable(tree: Tree): Tree {
  return new Map([...tree].map(([path, text]) => [path, text.replace(/^((?:\S* ){6})\d+ /, "$1")]));
}

function fetchLayout(layout: string, tag: string): readonly string[] {
  const data = work.path("data");
  const id = must([
    ...[join(process.cwd(), "dist/perigee"), "--dir", data, "--insecure-options=image"],
    ...["fetch", "--format", "json", `oci:${layout}:${tag}`],
  ]);
  const [image] = JSON.parse(id) as readonly { readonly id: string }[];
  const tree = findTree(openStoreSync(data), image?.id ?? "");
  assert.ok(tree !== undefined);
  const root = rootOf(tree);
  return typeof root === "string" ? [root] : root.toReversed().map(({ rootfs }) => rootfs);
}

/** The names that the store's own reader finds, for which no overlay is mounted. */
async function namesInStore(lowers: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { path } of mergeLayers(lowers.toReversed().map((rootfs) => ({ id: rootfs, rootfs })))) {
    const name = path.toString("latin1");
    names.push(name === "." ? "" : `/${name}`);
  }
  return names.sort();
}

/** umoci leaves directories with the time at which it changed them; what the image says of them is asked of the others. */
function withTimesOf(tree: Tree, other: Tree): Tree {
  return new Map(
    [...tree].map(([path, text]) => {
      const time = /^40\d+ \d+ \d+ (\d+) /.exec(other.get(path) ?? "")?.[1];
      const isNow = time !== undefined && BigInt(time) >= begun;
      return [path, isNow ? text.replace(/^((?:\S+ ){3})\d+/, "$1now") : text];
    }),
  );
}

async function requireSame(layout: string, tag: string): Promise<void> {
  const expected = comparable(unpackedByUmoci(layout, tag));
  const lowers = fetchLayout(layout, tag);
  assert.deepEqual(withTimesOf(comparable(seenByKernel(lowers)), expected), withTimesOf(expected, expected));
  assert.deepEqual(await namesInStore(lowers), [...expected.keys()].sort());
}

const base = layer([
  directory("./", { mtime: 5 }),
  directory("bin", { mtime: 7 }),
  file("bin/a", "a", { uid: 3, gid: 4, mode: 0o4755, mtime: 9 }),
  hardlink("bin/b", "bin/a"),
  directory("lib", { mode: 0o2775, uid: 5, gid: 6, mtime: 11 }),
  file("lib/one", "one", { pax: [["SCHILY.xattr.user.kind", "first"]] }),
  file("lib/two"),
  directory("lib/sub"),
  file("lib/sub/deep"),
  symlink("lib64", "lib"),
  symlink("abs", "/lib"),
  directory("etc"),
  file("etc/conf"),
]);

/** Layers on top of `base` that builders seldom make, and unpackers must take. */
const odd: Readonly<Record<string, readonly (readonly Parameters<typeof layer>[0][number][])[]>> = {
  "a whiteout of a file": [[directory("bin"), file("bin/.wh.a", "")]],
  "a whiteout of a directory": [[directory("lib"), file("lib/.wh.sub", "")]],
  "a whiteout of nothing": [[directory("bin"), file("bin/.wh.none", "")]],
  "an opaque directory": [[directory("lib"), file("lib/.wh..wh..opq", ""), file("lib/new")]],
  "an opaque marker behind what stays": [[directory("lib"), file("lib/two", "2"), file("lib/.wh..wh..opq", "")]],
  "an opaque directory that keeps a directory": [
    [directory("lib"), directory("lib/sub"), file("lib/sub/kept"), file("lib/.wh..wh..opq", "")],
  ],
  "a whiteout and the same name again": [[directory("lib"), file("lib/.wh.two", ""), file("lib/two", "again")]],
  "a directory made anew in place of one": [
    [directory("lib"), directory("lib/sub"), file("lib/sub/only"), file("lib/.wh.sub", "")],
  ],
  "a file in place of a directory": [[directory("lib"), file("lib/sub")]],
  "a directory in place of a file": [[directory("etc"), directory("etc/conf"), file("etc/conf/x")]],
  "a link in place of a directory": [[symlink("etc", "lib")]],
  "a directory in place of a link": [[directory("lib64"), file("lib64/own")]],
  "other attributes of a directory": [[directory("lib", { mode: 0o700, uid: 8, gid: 9, mtime: 77 })]],
  "other attributes of the root": [[directory("./", { mode: 0o711, uid: 8, gid: 9, mtime: 78 })]],
  "a file in a directory of another layer": [[file("lib/sub/more", "more", { mtime: 5 })]],
  "a file in directories that nobody described": [[file("opt/a/b/c", "c")]],
  "a hard link to a file of another layer": [[directory("bin"), hardlink("bin/c", "bin/a")]],
  "a hard link to a file with attributes": [[hardlink("etc/one", "lib/one")]],
  "a file twice": [[directory("etc"), file("etc/conf", "first"), file("etc/conf", "second")]],
  "a file, then a directory": [[file("x"), directory("x"), file("x/y")]],
  "a directory, then a file": [[directory("x"), file("x/y"), file("x")]],
  "removed, and made by the next": [
    [directory("lib"), file("lib/.wh.two", "")],
    [directory("lib"), file("lib/two", "third")],
  ],
  "made, and removed by the next": [[directory("new"), file("new/a")], [file(".wh.new", "")]],
  "empty layers": [[], [directory("lib"), file("lib/three")], []],
  "names of any bytes": [[file(Buffer.from([0x66, 0xff, 0xfe]).toString("latin1")), file("a b\tc")]],
};

describe("OCI-10, OCI-11, OCI-12, OCI-13, OCI-14, OCI-15, OCI-17: the tree of an image is umoci's", () => {
  for (const [why, layers] of Object.entries(odd)) {
    it(why, async () => {
      const layout = work.path(`odd-${count++}`);
      const parts: ImageParts = { layers: [base, ...layers.map(layer)], tag: "it" };
      writeLayout(layout, parts);
      await requireSame(layout, "it");
    });
  }

  it("100 layers", async () => {
    const layout = work.path("many");
    const layers = Array.from({ length: 99 }, (_, index) => {
      const gone = index % 3 === 2 ? [file(`d/.wh.f${index - 1}`, "")] : [];
      return layer([directory("d"), file(`d/f${index}`), ...gone]);
    });
    writeLayout(layout, { layers: [base, ...layers], tag: "it" });
    await requireSame(layout, "it");
  });

  it("OCI-16: more layers than one overlay has room for are laid into one directory", async () => {
    const layout = work.path("too-many");
    const layers = Array.from({ length: 320 }, (_, index) => layer([directory("d"), file(`d/f${index}`)]));
    writeLayout(layout, { layers: [base, ...layers, layer([directory("d"), file("d/.wh.f7", "")])], tag: "it" });
    const lowers = fetchLayout(layout, "it");
    assert.equal(lowers.length, 1);
    await requireSame(layout, "it");
  });
});

describe("OCI-10, OCI-14: what buildah builds is the same tree", () => {
  const storage = ["--root", work.path("cs"), "--runroot", work.path("cr"), "--storage-driver", "vfs"];
  const buildah = (...args: readonly string[]) =>
    must(["buildah", ...storage, ...args], { BUILDAH_ISOLATION: "chroot" }).trim();

  it("an image of three layers with owners, modes, links, attributes, whiteouts and an opaque directory", async () => {
    const first = buildah("from", "scratch");
    let root = buildah("mount", first);
    const sh = (script: string) => execFileSync("sh", ["-ec", script], { cwd: root });
    sh(
      `mkdir -p bin lib/deep lib/old tmp; cp /bin/busybox bin/busybox; ln -s busybox bin/sh; echo 1 > lib/a; ln lib/a lib/b;
      echo 2 > lib/old/x; setfattr -n user.k -v v lib/a; setcap cap_net_raw+ep bin/busybox; chown 33:44 lib/deep; chmod 1777 tmp; mkfifo lib/pipe;
      touch -d @1.5 lib/b; chmod 4711 lib/b`,
    );
    buildah("umount", first);
    buildah("commit", "--quiet", first, "one");
    const second = buildah("from", "one");
    root = buildah("mount", second);
    sh(
      `rm lib/b; rm -r lib/old; mkdir lib/old; echo 3 > lib/old/y; chmod 700 lib/deep; ln lib/a lib/c; ln -s ../lib tmp/l`,
    );
    buildah("umount", second);
    buildah("commit", "--quiet", second, "two");
    const third = buildah("from", "two");
    root = buildah("mount", third);
    sh(`rm -r lib/deep; echo 4 > lib/deep; chown 1:2 lib; rm bin/sh`);
    buildah("umount", third);
    buildah("commit", "--quiet", third, "three");
    const layout = work.path("built");
    for (const name of ["one", "two", "three"]) {
      buildah("push", "--quiet", `localhost/${name}`, `oci:${layout}:${name}`);
      await requireSame(layout, name);
    }
  });
});
