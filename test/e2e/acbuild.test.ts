/** acbuild scripts as their user meets them: an image of real commands in real pods, checked by building it twice, and run. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft, leakSnapshot } from "../helpers/leak-check.ts";
import { Workspace } from "../helpers/program.ts";

const work = new Workspace();
const clean = leakSnapshot();
before(() => {
  mkdirSync(work.path("context"), { recursive: true });
  copyFileSync(["/bin/busybox", "/usr/bin/busybox"].find(existsSync) ?? "", work.path("context/busybox"));
});
after(async () => {
  work.must(["gc", "--grace-period=0s", "--expire-layers=0s"]);
  await work.close();
  await assertNothingLeft(clean);
});

function script(name: string, ...lines: readonly string[]): string {
  const path = work.path("context", name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

describe("perigee build --script", () => {
  it("REPRO-1: builds what the script says, the same twice, and the image runs", () => {
    const file = script(
      "whole",
      "#!/usr/bin/env acbuild-script",
      "begin",
      "set-name example.com/box",
      "copy ./busybox /bin/busybox",
      "run -- /bin/busybox --install -s /bin",
      'run /bin/sh -c "echo \\"good day\\" >/greeting; rm /bin/vi"',
      "env add NAME 'two words'",
      "set-exec -- /bin/sh -c 'cat /greeting; echo $NAME; ls /bin/vi 2>/dev/null || echo gone'",
      `write ${work.path("box.aci")}`,
      "end",
    );
    const line = ["--insecure-options=image", "build", "--script", file, "--format", "json"];
    const built = JSON.parse(work.must([...line, "--check"]));
    assert.deepEqual(built.check, { copied: false });
    const again = JSON.parse(work.must([...line, "--overwrite"]));
    assert.deepEqual([again.id, again.cached], [built.id, true]);
    const out = work.must(["--insecure-options=image", "run", work.path("box.aci")]);
    assert.equal(out, "good day\ntwo words\ngone\n");
  });
  it("a command that fails is named with the script's line, and no image is left", () => {
    const file = script(
      "bad",
      "begin",
      "set-name example.com/bad",
      "copy busybox /bin/busybox",
      "run /bin/busybox false",
    );
    const { status, stderr } = work.perigee(["build", "--script", file, work.path("bad.aci")]);
    assert.equal(status, 1);
    assert.match(stderr, /error\[STEP_FAILED\]: .*bad:4/);
    assert.ok(!existsSync(work.path("bad.aci")));
  });
  it("a mistake is named with line and column before anything is done", () => {
    const file = script("wrong", "begin", "set-name example.com/wrong", "  port add http tcp many");
    const { status, stderr } = work.perigee(["build", "--script", file, work.path("wrong.aci")]);
    assert.equal(status, 1);
    assert.match(stderr, /^error\[RECIPE_INVALID\]: .*wrong:3:21: ACB-5: many is no whole number/);
  });
});
