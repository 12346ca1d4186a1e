import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspectSource, numbersOf, requirePropagation } from "../../src/pod/volume-sources.ts";
import type { Propagation } from "../../src/schema/grammar.ts";
import { fails } from "../helpers/failures.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

type Mount = Parameters<typeof inspectSource>[0];

const inspect = (source: string, { allowSymlinks = false } = {}, mount: Partial<Mount> = {}) =>
  inspectSource({ target: "/data", readOnly: false, ...mount, source }, { allowSymlinks });

describe("inspectSource (ACE-14…16, T-R21)", () => {
  it("knows directories and files, and that a missing source is not made", async (context) => {
    const directory = realpathSync(await temporaryDirectory(context));
    writeFileSync(join(directory, "file"), "");
    execFileSync("mkfifo", [join(directory, "fifo")]);
    assert.deepEqual(inspect(`${directory}/`), { path: directory, type: "directory" });
    assert.deepEqual(inspect(join(directory, "file")), { path: join(directory, "file"), type: "file" });
    assert.equal(inspect(join(directory, "fifo")).type, "file");
    assert.throws(() => inspect(join(directory, "none")), fails("NOT_FOUND"));
    assert.throws(() => inspect(join(directory, "file", "x")), fails("NOT_FOUND"));
  });

  it("a link anywhere on the way is refused and named, unless allowed", async (context) => {
    const directory = realpathSync(await temporaryDirectory(context));
    mkdirSync(join(directory, "real", "sub"), { recursive: true });
    symlinkSync("real", join(directory, "link"));
    for (const source of [join(directory, "link"), join(directory, "link", "sub")]) {
      assert.throws(() => inspect(source), fails("USAGE", /link is a symbolic link/));
    }
    const allowed = inspect(join(directory, "link", "sub"), { allowSymlinks: true });
    assert.deepEqual(allowed, { path: join(directory, "real", "sub"), type: "directory" });
    assert.throws(() => inspect(join(directory, "no"), { allowSymlinks: true }), fails("NOT_FOUND"));
  });

  it("POD-56: knows a device, its numbers and whether others may open it; and that nothing else is mounted below /dev", () => {
    const found = inspect("/dev/null", {}, { target: "/dev/another" });
    const device = { kind: "c", major: 1, minor: 3, readOnly: false };
    assert.deepEqual(found, { path: "/dev/null", type: "device", device, isOpenToOthers: true });
    assert.equal(inspect("/dev/null", {}, { readOnly: true }).device?.readOnly, true);
    assert.throws(() => inspect("/etc/passwd", {}, { target: "/dev/x" }), fails("MANIFEST_INVALID", /but a device/));
  });

  it("takes numbers of devices apart as the kernel's headers do", () => {
    assert.deepEqual(numbersOf(0x0103), [1, 3]);
    assert.deepEqual(numbersOf(0x0010_0000 + (8 << 8) + 0x05), [8, 0x105]);
    assert.deepEqual(numbersOf(2 ** 44 + 0x0102), [0x1001, 2]);
  });
});

describe("requirePropagation (POD-54, POD-55)", () => {
  const mountinfo = [
    "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw",
    "2 1 8:2 / /private rw - ext4 /dev/b rw",
    "3 1 8:3 / /slave rw master:7 - ext4 /dev/c rw",
    "4 1 8:4 / /with\\040blank rw - ext4 /dev/d rw",
    "5 2 8:5 / /private/again rw - ext4 /dev/e rw",
    "6 5 8:6 / /private/again rw shared:9 - ext4 /dev/e rw",
  ].join("\n");
  const require = (propagation: Propagation, path: string, userNamespace = false) =>
    requirePropagation({ volume: "data", propagation }, path, { userNamespace, mountinfo: () => mountinfo });

  it("asks nothing of a private volume", () => {
    const read = () => assert.fail("nothing is to be read");
    requirePropagation({ volume: "data", propagation: "private" }, "/x", { userNamespace: true, mountinfo: read });
  });

  it("slave needs a mount that is shared or slave, shared one that is shared: the deepest, and the last of two at one place", () => {
    for (const path of ["/", "/srv", "/privately", "/private/again/x"]) {
      require("slave", path);
      require("shared", path);
    }
    require("slave", "/slave/x");
    for (const path of ["/private", "/private/x", "/with blank"])
      assert.throws(
        () => require("slave", path),
        fails("UNSUPPORTED", /not on a shared or slave mount/, { hint: /make-shared/ }),
      );
    assert.throws(() => require("shared", "/slave"), fails("UNSUPPORTED", /not on a shared mount/));
  });

  it("shared is for pods without a user namespace, whatever the mount is", () => {
    assert.throws(() => require("shared", "/srv", true), fails("UNSUPPORTED", /user namespace/, { hint: /slave/ }));
    require("slave", "/srv", true);
  });
});
