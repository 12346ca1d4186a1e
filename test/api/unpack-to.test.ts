import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type UnpackToOptions, unpackTo } from "../../src/api/unpack-to.ts";
import { fails } from "../helpers/failures.ts";
import { isRoot } from "../helpers/image-tree.ts";
import { makeImage } from "../helpers/images.ts";
import { chunks, type RawMember, tarBytes } from "../helpers/tar-bytes.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

async function* image(): AsyncGenerator<Uint8Array> {
  const { archive } = await makeImage({ name: "example.com/web" }, [{ path: "hello", content: "hello" }]);
  yield archive ?? Buffer.alloc(0);
}

const options = (directory: string): UnpackToOptions => ({
  directory,
  layout: "rootfs",
  overwrite: true,
  keep: "/nowhere",
  owner: process.geteuid?.() === 0,
  devices: false,
});

describe("unpackTo", () => {
  it("makes a new directory, fills an empty one, replaces a full one", async (t) => {
    const home = await temporaryDirectory(t);
    const directory = join(home, "out");
    const unpacked = await unpackTo(image(), options(directory));
    assert.equal(unpacked.directory, directory);
    assert.equal(unpacked.summary.manifest.name, "example.com/web");
    await writeFile(join(directory, "more"), "x");
    await unpackTo(image(), options(directory));
    assert.deepEqual(await readdir(directory), ["hello"]);
    await mkdir(join(home, "empty"));
    await unpackTo(image(), { ...options(join(home, "empty")), overwrite: false, layout: "image" });
    assert.deepEqual((await readdir(join(home, "empty"))).sort(), ["manifest", "rootfs"]);
    assert.deepEqual((await readdir(home)).sort(), ["empty", "out"]);
  });

  it("D01, D02: leaves device nodes out and says so; makes them, as they are, for who asked", async (t) => {
    const home = await temporaryDirectory(t);
    const members: readonly RawMember[] = [
      { name: "rootfs/zero", type: "3", mode: 0o600, major: 1, minor: 5 },
      { name: "rootfs/loop", type: "4", mode: 0o600, major: 7, minor: 3 },
    ];
    const source = () => chunks(tarBytes({ members }));
    const without = await unpackTo(source(), options(join(home, "without")));
    assert.deepEqual([await readdir(join(home, "without")), without.skipped.length], [[], 2]);
    const directory = join(home, "with");
    const made = await unpackTo(source(), { ...options(directory), devices: true });
    const found = await Promise.all(
      ["zero", "loop"].map((name) => lstat(join(directory, name)).catch(() => undefined)),
    );
    // An ordinary user may not make any.
    assert.equal(made.skipped.length, isRoot ? 0 : 2);
    assert.deepEqual(
      found.map((status) => status && [status.isCharacterDevice(), status.isBlockDevice(), status.rdev]),
      isRoot
        ? [
            [true, false, (1 << 8) | 5],
            [false, true, (7 << 8) | 3],
          ]
        : [undefined, undefined],
    );
  });

  it("goes where a link leads, and leaves the link", async (t) => {
    const home = await temporaryDirectory(t);
    await mkdir(join(home, "real"));
    await symlink("real", join(home, "link"));
    const { directory } = await unpackTo(image(), options(join(home, "link")));
    assert.equal(directory, join(home, "real"));
    assert.equal(await readFile(join(home, "link", "hello"), "utf8"), "hello");
  });

  it("keeps what must be kept: the directory itself and those above, not one with a similar name", async (t) => {
    const home = await temporaryDirectory(t);
    await mkdir(join(home, "data", "store"), { recursive: true });
    const keep = join(home, "data");
    for (const directory of [home, keep]) {
      await assert.rejects(unpackTo(image(), { ...options(directory), keep }), fails("USAGE", /store/));
    }
    await unpackTo(image(), { ...options(join(home, "data2")), keep });
    await unpackTo(image(), { ...options(join(home, "dat")), keep });
    assert.deepEqual((await readdir(home)).sort(), ["dat", "data", "data2"]);
  });

  it("refuses before it reads", async (t) => {
    const home = await temporaryDirectory(t);
    await writeFile(join(home, "file"), "x");
    let isRead = false;
    async function* watched(): AsyncGenerator<Uint8Array> {
      isRead = true;
      yield* image();
    }
    await assert.rejects(unpackTo(watched(), options("/")), fails("USAGE"));
    await assert.rejects(unpackTo(watched(), options(join(home, "file"))), fails("ALREADY_EXISTS", /no directory/));
    await assert.rejects(unpackTo(watched(), options(join(home, "file", "out"))), fails("IO_FAILED"));
    assert.equal(isRead, false);
  });

  it("leaves a directory as it was when the image is none", async (t) => {
    const home = await temporaryDirectory(t);
    await writeFile(join(home, "mine"), "x");
    async function* nonsense(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("nonsense");
    }
    await assert.rejects(unpackTo(nonsense(), options(home)), fails("ARCHIVE_INVALID"));
    assert.deepEqual(await readdir(home), ["mine"]);
  });
});
