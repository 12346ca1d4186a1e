import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, linkSync, mkdirSync, readdirSync, symlinkSync, utimesSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CaptureOptions, captureMembers } from "../../src/recipe/capture.ts";
import { type StackView, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

const idBase = 1_000_000;
const startedAt = Math.floor(Date.now() / 1000) - 5;
let world: RecipeWorld;
let count = 0;
before(async () => {
  world = await RecipeWorld.open();
});
after(() => world.remove());

/** An upper directory with these files, owned as the pod's root would have them. */
function upperOf(files: Readonly<Record<string, string>>, alter: (upper: string) => void = () => {}): string {
  count += 1;
  const upper = world.path(`upper${count}`);
  mkdirSync(upper);
  world.files(`upper${count}`, files);
  alter(upper);
  chownAll(upper);
  return upper;
}

function chownAll(path: string): void {
  execFileSync("chown", ["-hR", `${idBase}:${idBase}`, path]);
}

async function captured(upper: string, view: StackView, options: Partial<CaptureOptions> = {}) {
  const lines: string[] = [];
  for await (const member of captureMembers({
    upper,
    view,
    idBase,
    startedAt,
    epoch: 9,
    mountTargets: [],
    ...options,
  })) {
    const path = member.path.toString();
    if (path !== ".") lines.push(`${member.type} ${path} ${member.uid}:${member.gid} ${member.mtime.seconds}`);
  }
  return lines;
}

describe("captureMembers", () => {
  it("RECIPE-32: owners are the image's, times of the command become the build's, older ones stay", async () => {
    const upper = upperOf({ new: "1", old: "2" }, (path) => utimesSync(join(path, "old"), 1234, 1234));
    chownSync(join(upper, "new"), idBase + 33, idBase + 44);
    assert.deepEqual(await captured(upper, world.view({})), ["file new 33:44 9", "file old 0:0 1234"]);
  });
  it("an owner outside of the pod's ids is refused", async () => {
    const upper = upperOf({ new: "1" });
    chownSync(join(upper, "new"), 0, 0);
    await assert.rejects(captured(upper, world.view({})), fails("IMAGE_INVALID", /new belongs to 0/));
  });
  it("whiteouts stay whiteouts, also where the kernel made them names of one file", async () => {
    const upper = upperOf({}, (path) => {
      execFileSync("mknod", [join(path, "gone"), "c", "0", "0"]);
      linkSync(join(path, "gone"), join(path, "lost"));
    });
    const expected = ["character gone 0:0 9", "character lost 0:0 9"];
    assert.deepEqual(await captured(upper, world.view({ gone: "1", lost: "1" })), expected);
  });
  it("an opaque directory hides what it has not again, at every depth", async () => {
    const upper = upperOf({ "d/kept": "2", "d/sub/new": "2" }, (path) => {
      execFileSync("setfattr", ["-n", "user.overlay.opaque", "-v", "y", join(path, "d")]);
    });
    const view = viewOf([world.layer("opaque", { "d/kept": "1", "d/lost": "1", "d/sub/old": "1", "e/x": "1" })]);
    const lines = await captured(upper, view);
    assert.deepEqual(
      lines.map((line) => line.split(" ").slice(0, 2).join(" ")),
      ["directory d", "character d/lost", "file d/kept", "directory d/sub", "character d/sub/old", "file d/sub/new"],
    );
  });
  it("RECIPE-34: what was made to mount at is gone, unless the command put something there", async () => {
    const mountTargets = ["/dev", "/proc", "/etc/hostname", "/etc/hosts"];
    const upper = upperOf({ "etc/hostname": "", "etc/hosts": "" }, (path) => {
      for (const name of ["dev", "proc"]) mkdirSync(join(path, name));
    });
    assert.deepEqual(await captured(upper, world.view({}), { mountTargets }), []);
    const used = upperOf({ "etc/hostname": "", "etc/hosts": "", "etc/passwd": "x" });
    assert.deepEqual(
      (await captured(used, world.view({}), { mountTargets })).map((line) => line.split(" ")[1]),
      ["etc", "etc/passwd"],
    );
    const image = viewOf([world.layer("with-etc", { "etc/hosts": "own" })]);
    const own = upperOf({ "etc/hostname": "", "etc/hosts": "" });
    assert.deepEqual(
      (await captured(own, image, { mountTargets })).map((line) => line.split(" ")[1]),
      ["etc", "etc/hosts"],
    );
  });
  it("a link that the command put in the way is not followed out", async () => {
    world.files("outside", { hosts: "" });
    const upper = upperOf({}, (path) => symlinkSync(world.path("outside"), join(path, "etc")));
    await captured(upper, world.view({}), { mountTargets: ["/etc/hosts"] });
    assert.ok(existsSync(world.path("outside/hosts")));
  });
  it("sockets are left out", async () => {
    const upper = upperOf({ "run/file": "1" });
    const server = createServer().listen(join(upper, "run/socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    // Closing would remove it; a process that was killed leaves it there.
    assert.deepEqual(readdirSync(join(upper, "run")).sort(), ["file", "socket"]);
    const lines = await captured(upper, world.view({}));
    server.close();
    assert.deepEqual(
      lines.map((line) => line.split(" ")[1]),
      ["run", "run/file"],
    );
  });
  it("file capabilities count for the image's root again", async () => {
    const revision3 = Buffer.alloc(24);
    revision3.writeUInt32LE(0x03000001, 0);
    revision3.writeUInt32LE(0x400, 4);
    revision3.writeUInt32LE(idBase, 20);
    const upper = upperOf({ ping: "1" });
    execFileSync("setfattr", [
      "-n",
      "security.capability",
      "-v",
      `0x${revision3.toString("hex")}`,
      join(upper, "ping"),
    ]);
    const values: string[] = [];
    for await (const member of captureMembers({
      upper,
      view: world.view({}),
      idBase,
      startedAt,
      epoch: 0,
      mountTargets: [],
    })) {
      values.push(...member.xattrs.map(({ name, value }) => `${name} ${value.toString("hex")}`));
    }
    assert.deepEqual(values, ["security.capability 0100000200040000000000000000000000000000"]);
  });
  it("ACLs name the image's users again", async () => {
    const upper = upperOf({ file: "1" });
    execFileSync("setfacl", ["-m", `u:${idBase + 33}:rw,g:${idBase + 44}:r`, join(upper, "file")]);
    const ids: number[] = [];
    for await (const { xattrs } of captureMembers({
      upper,
      view: world.view({}),
      idBase,
      startedAt,
      epoch: 0,
      mountTargets: [],
    })) {
      for (const { value } of xattrs) for (let at = 4; at < value.length; at += 8) ids.push(value.readUInt32LE(at + 4));
    }
    assert.deepEqual(
      ids.filter((id) => id < 0xffffffff),
      [33, 44],
    );
  });
});
