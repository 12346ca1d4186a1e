import assert from "node:assert/strict";
import { chmodSync, lutimesSync, mkdirSync, symlinkSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { openContext } from "../../src/recipe/context.ts";
import { Recipe } from "../../src/recipe/document.ts";
import { isFileStep, prepareFiles } from "../../src/recipe/files.ts";
import { type StackView, viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
let view: StackView;
before(async () => {
  world = await RecipeWorld.open();
  const accounts = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nwww:x:33:44::/srv:/bin/sh\n",
    "etc/group": "staff:x:50:\n",
  };
  view = viewOf([world.layer("image", { ...accounts, "usr/share/x": "1" })]);
  symlinkSync("usr/share", world.path("image/share"));
});
after(() => world.remove());
let scratch = 0;
beforeEach(() => {
  scratch += 1;
  mkdirSync(world.path(`scratch${scratch}`));
});

function prepare(step: unknown) {
  const [parsed] = Recipe.parse({ name: "example.com/a", steps: [step] }).steps;
  assert.ok(parsed !== undefined && isFileStep(parsed));
  return prepareFiles(openContext(world.path("context")), parsed, 0);
}
const members = (step: unknown) => prepare(step).members(view, world.path(`scratch${scratch}`));
/** `path mode uid:gid` of what the step itself makes. */
const lines = (step: unknown) =>
  members(step)
    .filter(({ path }) => view.find(path.toString("latin1")) === undefined && path.toString() !== ".")
    .map(({ path, mode, uid, gid }) => `${path.toString("latin1")} ${mode.toString(8)} ${uid}:${gid}`);

describe("copy", () => {
  before(() => {
    world.context({ "a/one": "1", "a/sub/two": "2", run: "#!/bin/sh" });
    chmodSync(world.path("context/a"), 0o755);
    chmodSync(world.path("context/a/sub"), 0o750);
    chmodSync(world.path("context/a/one"), 0o644);
    chmodSync(world.path("context/a/sub/two"), 0o600);
    chmodSync(world.path("context/run"), 0o755);
  });
  it("RECIPE-10: to the path itself, or into it", () => {
    assert.deepEqual(lines({ copy: { from: "run", to: "/opt/it" } }), ["opt 755 0:0", "opt/it 755 0:0"]);
    assert.deepEqual(lines({ copy: { from: "run", to: "/opt/" } }), ["opt 755 0:0", "opt/run 755 0:0"]);
    assert.deepEqual(lines({ copy: { from: "a", to: "/b" } }), [
      "b 755 0:0",
      "b/one 644 0:0",
      "b/sub 750 0:0",
      "b/sub/two 600 0:0",
    ]);
    assert.deepEqual(lines({ copy: { from: ["run", "a/one"], to: "/b" } }), [
      "b 755 0:0",
      "b/one 644 0:0",
      "b/run 755 0:0",
    ]);
  });
  it("RECIPE-6: owners by number, by name of the image, or as they are", () => {
    const owner = (text: string) => lines({ copy: { from: "run", to: "/it", owner: text } });
    assert.deepEqual(["7", "7:8", "www", "www:staff", "root"].flatMap(owner), [
      "it 755 7:7",
      "it 755 7:8",
      "it 755 33:44",
      "it 755 33:50",
      "it 755 0:0",
    ]);
    assert.deepEqual(owner("keep"), [`it 755 ${process.getuid?.()}:${process.getgid?.()}`]);
    assert.throws(() => owner("nobody"), fails("NOT_FOUND", /user nobody/));
    assert.throws(() => owner("/etc/passwd"), fails("USAGE", /RECIPE-6/));
  });
  it("RECIPE-5: a mode is for files; directories can be entered by whoever may read", () => {
    assert.deepEqual(lines({ copy: { from: "a", to: "/b", mode: "0640" } }), [
      "b 750 0:0",
      "b/one 640 0:0",
      "b/sub 750 0:0",
      "b/sub/two 640 0:0",
    ]);
  });
  it("RECIPE-14: over a link of the image, to where it leads", () => {
    assert.deepEqual(lines({ copy: { from: "a/one", to: "/share/" } }), ["usr/share/one 644 0:0"]);
  });
  it("RECIPE-52: the inputs change with content, mode, name and target, and with no time", () => {
    const inputs = () => JSON.stringify(prepare({ copy: { from: "a", to: "/b" } }).inputs);
    const first = inputs();
    lutimesSync(world.path("context/a/one"), 5, 5);
    assert.equal(inputs(), first);
    const seen = new Set([first]);
    world.context({ "a/one": "x" });
    seen.add(inputs());
    chmodSync(world.path("context/a/one"), 0o600);
    seen.add(inputs());
    world.context({ "a/three": "" });
    seen.add(inputs());
    seen.add(JSON.stringify(prepare({ copy: { from: "a", to: "/b/" } }).inputs));
    assert.equal(seen.size, 5);
  });
});

describe("write, mkdir, symlink, remove", () => {
  it("make what they say", () => {
    assert.deepEqual(lines({ write: { to: "/etc/motd", content: "hi", mode: "0600", owner: "www" } }), [
      "etc/motd 600 33:44",
    ]);
    assert.deepEqual(lines({ mkdir: { path: "/srv/data", owner: "33", mode: "0700" } }), [
      "srv 755 0:0",
      "srv/data 700 33:33",
    ]);
    const link = members({ symlink: { path: "/bin/sh", target: "busybox" } }).at(-1);
    assert.deepEqual([link?.type, link?.link.toString()], ["symlink", "busybox"]);
    const gone = members({ remove: ["/etc/passwd", "/share/x"] });
    assert.deepEqual(
      gone.filter(({ type }) => type === "character").map(({ path }) => path.toString()),
      ["etc/passwd", "usr/share/x"],
    );
  });
  it("RECIPE-15: / itself is neither removed nor written, and what to do instead is said", () => {
    for (const path of ["/", "/.", "//"]) {
      assert.throws(() => members({ remove: path }), fails("USAGE", /root directory/, { hint: /base: empty/ }), path);
    }
    assert.throws(
      () => members({ write: { to: "/", content: "" } }),
      fails("USAGE", /root directory/, { hint: /\/NAME/ }),
    );
  });
});
