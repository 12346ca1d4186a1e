import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { layLayer } from "../../src/oci/layer.ts";
import { lowerView } from "../../src/oci/lower.ts";
import { readTar } from "../../src/tar/read.ts";
import { fails } from "../helpers/failures.ts";
import { directory, file, hardlink, layer, symlink } from "../helpers/oci-images.ts";
import type { RawEntry } from "../helpers/raw-tar.ts";
import { chunks } from "../helpers/tar-bytes.ts";

const rootfs = mkdtempSync(join(tmpdir(), "perigee-oci-layer-"));
after(() => rmSync(rootfs, { recursive: true }));
mkdirSync(join(rootfs, "lib/sub"), { recursive: true });
writeFileSync(join(rootfs, "lib/a"), "lower");
writeFileSync(join(rootfs, "lib/sub/deep"), "");
symlinkSync("lib", join(rootfs, "lib64"));
symlinkSync("/lib", join(rootfs, "abs"));
symlinkSync("../../../../lib", join(rootfs, "up"));
symlinkSync("ring", join(rootfs, "ring"));

/** `path`, `path=content`, `path→target`, `-path` for a mark. */
async function laid(
  entries: readonly RawEntry[],
  stack = [{ id: "below", rootfs }],
  spend: (bytes: number) => void = () => {},
) {
  const { members, dependsOnBelow } = layLayer(
    readTar(chunks(layer(entries))),
    async () => lowerView(stack, new Map()),
    spend,
  );
  const lines: string[] = [];
  for await (const { path, type, link, body } of members) {
    const name = path.toString("latin1");
    let content = "";
    for await (const chunk of body) content += Buffer.from(chunk).toString();
    const words: Partial<Record<typeof type, string>> = {
      character: `-${name}`,
      file: `${name}=${content}`,
      hardlink: `${name}→${link.toString("latin1")}`,
      directory: `${name}/`,
    };
    lines.push(words[type] ?? name);
  }
  return { lines, depends: dependsOnBelow() };
}

describe("one layer as a directory of its own", () => {
  it("OCI-10: one that describes itself needs nothing from below, and can be shared by all images", async () => {
    const result = await laid([directory("d"), file("d/f", "x"), hardlink("d/g", "d/f"), symlink("l", "d")]);
    assert.deepEqual(result, { lines: ["d/", "d/f=x", "d/g→d/f", "l"], depends: false });
  });
  it("OCI-12: a directory that it does not bring is as it is below, or plain", async () => {
    const result = await laid([file("lib/sub/new", "n"), file("other/x", "y")]);
    assert.deepEqual(result, { lines: ["lib/", "lib/sub/", "lib/sub/new=n", "other/", "other/x=y"], depends: true });
  });
  for (const link of ["lib64", "abs", "up"]) {
    it(`OCI-13, S01: a file below the link ${link} lies where it leads, inside of the image`, async () => {
      assert.deepEqual((await laid([file(`${link}/new`, "n")])).lines, ["lib/", "lib/new=n"]);
    });
  }
  it("OCI-13: below a link of the layer itself, too", async () => {
    const { lines } = await laid([directory("real"), symlink("alias", "/real"), file("alias/x", "y")], []);
    assert.deepEqual(lines, ["real/", "alias", "real/x=y"]);
  });
  it("OCI-14: a whiteout marks what is there, once", async () => {
    const result = await laid([directory("lib"), file("lib/.wh.a"), file("lib/.wh.a"), file("lib/.wh.none")]);
    assert.deepEqual(result, { lines: ["lib/", "-lib/a"], depends: true });
  });
  it("OCI-14: what the layer brings itself stays, whatever comes first", async () => {
    for (const order of [0, 1]) {
      const two = [file("lib/.wh.a"), file("lib/a", "own")];
      const { lines } = await laid([directory("lib"), ...(order === 0 ? two : two.reverse())]);
      assert.deepEqual(lines, ["lib/", "lib/a=own"]);
    }
  });
  it("OCI-14: an opaque directory hides all that is below, also in directories that it keeps", async () => {
    const { lines } = await laid([
      directory("lib"),
      file("lib/.wh..wh..opq"),
      directory("lib/sub"),
      file("lib/n", "n"),
    ]);
    assert.deepEqual(lines, ["lib/", "lib/sub/", "lib/n=n", "-lib/a", "-lib/sub/deep"]);
  });
  it("OCI-14: an opaque root hides everything", async () => {
    const { lines } = await laid([file(".wh..wh..opq")]);
    assert.deepEqual(lines.sort(), ["-abs", "-lib", "-lib64", "-ring", "-up"]);
  });
  it("OCI-14: without anything below a whiteout says nothing", async () => {
    assert.deepEqual((await laid([directory("d"), file("d/.wh.x"), file("d/.wh..wh..plnk")], [])).lines, ["d/"]);
  });
  it("OCI-15: a copy counts before it is made: a few bytes of a layer could bring any number of them", async () => {
    const spent: number[] = [];
    await laid([hardlink("b", "lib/a"), hardlink("c", "lib/a")], undefined, (bytes) => spent.push(bytes));
    assert.equal(spent[0], "lower".length);
    const refuse = () => assert.fail("too much");
    await assert.rejects(laid([hardlink("b", "lib/a")], undefined, refuse), /too much/);
  });
  it("OCI-15: a hard link to a file below brings a copy of it", async () => {
    const { lines } = await laid([directory("bin"), hardlink("bin/b", "lib/a")]);
    assert.deepEqual(lines, ["bin/", "lib/", "lib/a=lower", "bin/b→lib/a"]);
  });

  const hostile: Readonly<Record<string, readonly RawEntry[]>> = {
    "D06: a mark of an overlay": [{ name: "x", type: "3", major: 0, minor: 0 }],
    "D07: `.wh.`": [file(".wh.")],
    "D08: `.wh..`": [file("lib/.wh..")],
    "D09: `.wh...`": [file("lib/.wh...")],
    "a whiteout that is a directory": [directory("lib/.wh.a")],
    "an entry below a whiteout": [file("lib/.wh.a/x")],
    "F12: a file as parent": [file("x"), file("x/y")],
    "a file of the layer below as parent": [file("lib/a/x")],
    "a ring of links as parent": [file("ring/x")],
    "H06: a hard link to nothing": [hardlink("x", "none")],
    "H07: a hard link to what comes later": [hardlink("x", "later"), file("later")],
    "H08: a hard link to a directory": [directory("d"), hardlink("x", "d")],
    "H08: a hard link to a directory below": [hardlink("x", "lib")],
    "H12: a hard link to itself": [hardlink("x", "x")],
    "H03: a hard link through a link": [hardlink("x", "lib64/a")],
    "a hard link to what the layer takes away": [directory("lib"), file("lib/.wh.a"), hardlink("x", "lib/a")],
  };
  for (const [why, entries] of Object.entries(hostile)) {
    it(`${why} is refused`, async () => {
      await assert.rejects(laid(entries), fails("ARCHIVE_INVALID"));
    });
  }
  it("X01: attributes of overlays are dropped, and told of", async () => {
    const pax = ["trusted.overlay.opaque", "user.overlay.redirect", "user.ok"].map(
      (name) => [`SCHILY.xattr.${name}`, "y"] as const,
    );
    const { members } = layLayer(
      readTar(chunks(layer([directory("d", { pax })]))),
      async () => lowerView([], new Map()),
      () => {},
    );
    for await (const member of members) {
      assert.deepEqual(
        member.xattrs.map(({ name }) => name),
        ["user.ok"],
      );
      assert.deepEqual(member.dropped, ["trusted.overlay.opaque", "user.overlay.redirect"]);
    }
  });
});
