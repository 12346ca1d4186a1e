import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { runShim, type Scratch, scratch } from "../helpers/shim.ts";

let scene: Scratch;

beforeEach(() => {
  scene = scratch();
  mkdirSync(scene.at("work"));
  mkdirSync(scene.at("outside"));
  writeFileSync(scene.at("outside/canary"), "");
});
afterEach(async () => {
  assert.deepEqual(readdirSync(scene.at("outside")), ["canary"]);
  await scene.remove();
});

const remove = (names: readonly string[], through: readonly string[] = []) =>
  runShim(["remove", ...names], scene.at("work"), { through });

/** A shell in a mount namespace of its own runs `setup`, then what follows. */
const privately = (setup: string): readonly string[] => [
  ...["unshare", "-m", "--propagation", "private", "sh", "-c"],
  `${setup} && exec "$0" "$@"`,
];

describe("remove", () => {
  it("takes trees away, whatever is in them; missing is success", () => {
    mkdirSync(scene.at("work/tree/a/b"), { recursive: true });
    for (let n = 0; n < 3000; n++) writeFileSync(scene.at(`work/tree/a/${n}`), "");
    execFileSync("mkfifo", [scene.at("work/tree/fifo")]);
    execFileSync("mknod", [scene.at("work/tree/device"), "c", "1", "3"]);
    writeFileSync(scene.at("work/file"), "");
    writeFileSync(scene.at("work/kept"), "");
    const { status, stdout, stderr } = remove(["tree", "file", "missing"]);
    assert.equal(status, 0, stderr);
    assert.equal(String(stdout), '{"removed":3}\n');
    assert.deepEqual(readdirSync(scene.at("work")), ["kept"]);
  });

  it("T-R20: never goes through a link", () => {
    mkdirSync(scene.at("work/tree"));
    symlinkSync(scene.at("outside"), scene.at("work/tree/absolute"));
    symlinkSync("../../outside", scene.at("work/tree/relative"));
    symlinkSync(scene.at("outside"), scene.at("work/link"));
    assert.equal(remove(["tree", "link"]).status, 0);
    assert.deepEqual(readdirSync(scene.at("work")), []);
  });

  it("T-R20: stops at a directory on which something is mounted", () => {
    mkdirSync(scene.at("work/tree/deep/mount"), { recursive: true });
    const { status, failed } = remove(["tree"], privately("mount --bind ../outside tree/deep/mount"));
    assert.deepEqual([status, failed?.step, failed?.subject, failed?.errno], [1, "remove", "tree", "EXDEV"]);
    assert.ok(existsSync(scene.at("work/tree/deep/mount")));
  });

  it("T-R20: stops at a file on which something is mounted, and at the tree itself", () => {
    mkdirSync(scene.at("work/tree"));
    writeFileSync(scene.at("work/tree/file"), "");
    const onFile = remove(["tree"], privately("mount --bind ../outside/canary tree/file"));
    assert.equal(onFile.failed?.errno, "EXDEV");
    assert.equal(remove(["tree"], privately("mount --bind ../outside tree")).failed?.errno, "EXDEV");
  });

  it("one tree that stays does not keep the others", () => {
    mkdirSync(scene.at("work/stays/mount"), { recursive: true });
    mkdirSync(scene.at("work/goes/x"), { recursive: true });
    const { failed } = remove(["stays", "goes"], privately("mount --bind ../outside stays/mount"));
    assert.equal(failed?.subject, "stays");
    assert.deepEqual(readdirSync(scene.at("work")), ["stays"]);
  });

  it("10 000 levels, with few descriptors and a small stack", () => {
    mkdirSync(scene.at("work/deep"));
    const script =
      'for (let n = 0; n < 10000; n++) { fs.mkdirSync("d"); process.chdir("d"); fs.writeFileSync("file", ""); }';
    execFileSync(process.execPath, ["-e", script], { cwd: scene.at("work/deep") });
    const levels = execFileSync("find", [".", "-type", "d", "-name", "d", "-printf", "d"], {
      cwd: scene.at("work/deep"),
    });
    assert.equal(levels.length, 10_000);
    const { status, stderr } = remove(["deep"], ["bash", "-c", 'ulimit -n 100 && exec "$0" "$@"']);
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(scene.at("work")), []);
  });

  it("an ordinary user removes their own tree however its modes are", () => {
    mkdirSync(scene.at("work/tree/shut/inside"), { recursive: true });
    writeFileSync(scene.at("work/tree/shut/file"), "");
    mkdirSync(scene.at("work/tree/readonly/inside"), { recursive: true });
    chmodSync(scene.at("work/tree/shut"), 0);
    chmodSync(scene.at("work/tree/readonly"), 0o555);
    chmodSync(scene.at("work/tree"), 0o500);
    execFileSync("chown", ["-R", "1000:1000", scene.path]);
    const { status, stderr } = remove(
      ["tree"],
      ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--"],
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(scene.at("work")), []);
  });

  for (const name of ["", ".", "..", "a/b", "/etc", "../outside"]) {
    it(`"${name}" is no name`, () => {
      const { status, failed } = remove([name]);
      assert.deepEqual([status, failed?.errno], [1, "EINVAL"]);
    });
  }
});
