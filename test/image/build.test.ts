import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createReadStream, utimesSync } from "node:fs";
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { readArchive } from "../../src/image/archive.ts";
import { type BuildOptions, buildArchive } from "../../src/image/build.ts";
import { fails } from "../helpers/failures.ts";
import "../helpers/shim.ts";
import { isRoot, makeLayout, manifestText } from "../helpers/image-tree.ts";
import { makeTemporary } from "../helpers/temporary.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
let rootfs = "";
const at = (name: string) => join(temporary.path, name);
const build = (output: string, changes: Partial<BuildOptions> = {}) =>
  buildArchive({
    manifest: Buffer.from(manifestText),
    rootfs,
    output: at(output),
    overwrite: false,
    compression: "gzip",
    ownerRoot: false,
    log: silentLog,
    ...changes,
  });

before(async () => {
  temporary = await makeTemporary();
  await mkdir(at("layout"));
  ({ rootfs } = makeLayout(at("layout")));
});
after(() => temporary.remove());

describe("buildArchive", () => {
  it("ACI-11: says the ID that a reader finds", async () => {
    const { id, path, size } = await build("a.aci");
    assert.equal(path, at("a.aci"));
    assert.equal((await stat(path)).size, size);
    const summary = await readArchive(createReadStream(path));
    assert.deepEqual([summary.id, String(summary.manifestBytes)], [id, manifestText]);
  });
  it("same input, same bytes, and one ID for both compressions (A12)", async () => {
    const first = await build("same1.aci");
    const second = await build("same2.aci");
    const plain = await build("plain.aci", { compression: "none" });
    assert.ok((await readFile(first.path)).equals(await readFile(second.path)));
    assert.deepEqual([second.id, plain.id], [first.id, first.id]);
  });
  it("SOURCE_DATE_EPOCH makes the times of a build itself vanish", async () => {
    const file = join(rootfs, "bin", "empty");
    const first = await build("epoch1.aci", { sourceDateEpoch: 1_200_000_000 });
    utimesSync(file, 1_300_000_000, 1_300_000_000);
    const second = await build("epoch2.aci", { sourceDateEpoch: 1_200_000_000 });
    assert.equal(second.id, first.id);
    await utimes(file, 1_000_000_000, 1_000_000_000);
    assert.notEqual((await build("epoch3.aci", { sourceDateEpoch: 1_200_000_000 })).id, first.id);
  });
  it("is readable by everybody, as any file", async () => {
    assert.equal((await stat((await build("mode.aci")).path)).mode & 0o777, 0o644 & ~process.umask());
  });
});

describe("buildArchive: other programs", () => {
  it("ACI-1, ACI-2, ACI-3: actool validates it", async () => {
    for (const compression of ["gzip", "none"] as const) {
      const { path } = await build(`actool-${compression}.aci`, { compression });
      const { status, stderr } = spawnSync("actool", ["--debug", "validate", path], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.match(stderr, /valid app container image/);
    }
  });
  it("ACI-4: GNU tar lists what it lists of the tree itself", async () => {
    const { path } = await build("tar.aci");
    const list = (archive: string) =>
      execFileSync("tar", ["-tvf", archive, "--numeric-owner", "--full-time", "--utc", "--quoting-style=escape"], {
        encoding: "utf8",
      })
        .split("\n")
        .filter((line) => / rootfs(\/|$)/.test(line))
        .map((line) =>
          line
            .replace(/ +/g, " ")
            .replace(/\/$/, "")
            .replace(/\.\d+ /, " "),
        )
        .sort();
    execFileSync("tar", ["-cf", at("oracle.tar"), "--format=posix", "--sort=name", "-C", at("layout"), "rootfs"]);
    const ours = list(path);
    assert.ok(ours.length > 10);
    assert.deepEqual(ours, list(at("oracle.tar")));
  });
  it("gunzip takes it", async () => {
    assert.equal(spawnSync("gzip", ["-t", (await build("gunzip.aci")).path]).status, 0);
  });
});

describe("buildArchive: refusals, and nothing half-made", () => {
  /** Runs `action`, and sees that the directory holds what it held. */
  async function leavesNothing(action: () => Promise<void>): Promise<void> {
    const names = await readdir(temporary.path);
    await action();
    assert.deepEqual(await readdir(temporary.path), names);
  }

  it("ACI-1: a name that does not end in .aci", () =>
    leavesNothing(() => assert.rejects(build("x.tar"), fails("USAGE", /ACI-1/, { hint: /x\.tar\.aci/ }))));
  it("a manifest that breaks a rule", () =>
    leavesNothing(() => assert.rejects(build("x.aci", { manifest: Buffer.from("{}") }), fails("MANIFEST_INVALID"))));
  it("a root file system that is not there", () =>
    leavesNothing(() => assert.rejects(build("x.aci", { rootfs: at("none") }), fails("NOT_FOUND", /none/))));
  it("a root file system that is a file", () =>
    leavesNothing(() => assert.rejects(build("x.aci", { rootfs: at("layout/manifest") }), fails("IMAGE_INVALID"))));
  it("a directory of the output that is not there", () =>
    leavesNothing(() => assert.rejects(build("none/x.aci"), fails("NOT_FOUND", /none\/x\.aci/, { hint: /mkdir/ }))));
  it("an output that is there, unless it is to be replaced", async () => {
    await writeFile(at("there.aci"), "mine");
    await leavesNothing(() =>
      assert.rejects(build("there.aci"), fails("ALREADY_EXISTS", /there/, { hint: /--overwrite/ })),
    );
    assert.equal(await readFile(at("there.aci"), "utf8"), "mine");
    const { id } = await build("there.aci", { overwrite: true });
    assert.equal((await readArchive(createReadStream(at("there.aci")))).id, id);
  });
  it("an output that is a link or a directory is never replaced", async () => {
    await symlink("target", at("link.aci"));
    await mkdir(at("directory.aci"));
    await leavesNothing(async () => {
      for (const name of ["link.aci", "directory.aci"]) {
        await assert.rejects(build(name, { overwrite: true }), fails("ALREADY_EXISTS"));
      }
    });
  });
  it("an output inside of the tree", async () => {
    await assert.rejects(build("x", { output: join(rootfs, "x.aci") }), fails("USAGE", /inside/));
    await assert.rejects(build("x", { output: join(rootfs, "bin/../tmp/x.aci") }), fails("USAGE", /inside/));
    await build("layout/..x.aci");
  });
  it("a socket in the tree", async (context) => {
    await mkdir(at("sockets"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at("sockets/s"), resolve));
    context.after(() => new Promise((resolve) => server.close(resolve)));
    await leavesNothing(() => assert.rejects(build("x.aci", { rootfs: at("sockets") }), fails("SHIM_FAILED", /^s: /)));
  });
  it("D06: a whiteout of overlay in the tree", { skip: !isRoot && "only root may make one" }, async () => {
    await mkdir(at("whiteout"));
    execFileSync("mknod", [at("whiteout/w"), "c", "0", "0"]);
    await leavesNothing(() =>
      assert.rejects(build("x.aci", { rootfs: at("whiteout") }), fails("IMAGE_INVALID", /0:0/)),
    );
  });
  it("an abort", () =>
    leavesNothing(async () => {
      const controller = new AbortController();
      const log = { ...silentLog, progress: () => controller.abort() };
      await assert.rejects(build("x.aci", { signal: controller.signal, log }), fails("INTERRUPTED"));
    }));
});
