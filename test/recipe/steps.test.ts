import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openCache } from "../../src/recipe/cache.ts";
import { openContext } from "../../src/recipe/context.ts";
import { Recipe } from "../../src/recipe/document.ts";
import { titleOf } from "../../src/recipe/plan.ts";
import { commandOf, directoryLayer, emptyLayer, stepLayer, type Workshop } from "../../src/recipe/steps.ts";
import { viewOf } from "../../src/store/stack.ts";
import { fails } from "../helpers/failures.ts";
import { isRoot } from "../helpers/image-tree.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
beforeEach(async () => {
  world = await RecipeWorld.open();
});
afterEach(() => world.remove());

const shop = (changes: Partial<Workshop> = {}): Workshop => ({
  cache: openCache(world.data),
  context: openContext(world.path("context")),
  data: world.data,
  imageName: "example.com/made",
  recipeFile: "r.yaml",
  shellCommand: "perigee build -f r.yaml --shell-at",
  count: 3,
  epoch: 0,
  isRoot,
  useCache: true,
  hostFiles: { resolvConf: undefined, hosts: undefined },
  log: world.settings.log,
  ...changes,
});
function planned(step: unknown, number = 1) {
  const [parsed] = Recipe.parse({ name: "example.com/a", steps: [step] }).steps;
  assert.ok(parsed !== undefined);
  return { number, place: `r.yaml:${number}`, step: parsed, title: titleOf(parsed), environment: [], dependencies: [] };
}

describe("stepLayer (RECIPE-50)", () => {
  it("does a step once, and tells which and whether", async () => {
    const step = planned({ write: { to: "/a", content: "1" } });
    const empty = await emptyLayer(shop());
    const first = await stepLayer(shop(), step, viewOf([empty]));
    const second = await stepLayer(shop(), step, viewOf([empty]));
    assert.deepEqual([first.isCached, second.isCached, second.layer], [false, true, first.layer]);
    assert.equal(readFileSync(join(first.layer.rootfs, "a"), "utf8"), "1");
    assert.deepEqual(world.heard, ["[1/3] write: /a", "[1/3] write: /a (cached)"]);
  });
  it("two at the same time make it once", async () => {
    const step = planned({ write: { to: "/a", content: "1" } });
    const view = viewOf([await emptyLayer(shop())]);
    const both = await Promise.all([stepLayer(shop(), step, view), stepLayer(shop(), step, view)]);
    assert.deepEqual(both.map(({ isCached }) => isCached).sort(), [false, true]);
  });
  it("without the cache it is done again, and gives the same layer", async () => {
    const step = planned({ write: { to: "/a", content: "1" } });
    const view = viewOf([await emptyLayer(shop())]);
    const [first, again] = [
      await stepLayer(shop(), step, view),
      await stepLayer(shop({ useCache: false }), step, view),
    ];
    assert.deepEqual([again.isCached, again.layer], [false, first.layer]);
  });
  it("another time, another layer below, another step: another key", async () => {
    const step = planned({ write: { to: "/a", content: "1" } });
    const empty = viewOf([await emptyLayer(shop())]);
    await stepLayer(shop(), step, empty);
    const onOther = viewOf([...empty.stack, world.layer("other", { b: "1" })]);
    for (const made of [
      await stepLayer(shop({ epoch: 5 }), step, empty),
      await stepLayer(shop(), step, onOther),
      await stepLayer(shop(), planned({ write: { to: "/a", content: "2" } }), empty),
    ]) {
      assert.ok(!made.isCached);
    }
  });
  it("a failure says which step it was and leaves nothing", async () => {
    const view = viewOf([await emptyLayer(shop())]);
    await assert.rejects(
      stepLayer(shop(), planned({ remove: "/absent" }, 2), view),
      fails("NOT_FOUND", /^step 2 \(r\.yaml:2\): .*\/absent/),
    );
    assert.deepEqual(
      [world.cached("store/staging"), world.cached("store/trash"), world.cached("steps").length],
      [[], [], 1],
    );
  });
});

describe("directoryLayer", () => {
  it("is read anew, and made once for one content", async () => {
    world.files("rootfs", { "etc/a": "1" });
    const first = await directoryLayer(shop(), world.path("rootfs"));
    const second = await directoryLayer(shop(), world.path("rootfs"));
    world.files("rootfs", { "etc/a": "2" });
    const third = await directoryLayer(shop(), world.path("rootfs"));
    assert.deepEqual([first.isCached, second.isCached, third.isCached], [false, true, false]);
    assert.equal(readFileSync(join(third.layer.rootfs, "etc/a"), "utf8"), "2");
    assert.ok(existsSync(join(first.layer.rootfs, "etc/a")));
  });
});

describe("commandOf (RECIPE-30, RECIPE-31)", () => {
  it("a line is for the shell, a list is the command; root, / and no network unless it says otherwise", () => {
    mkdirSync(world.path("scratch"));
    const command = (step: unknown, environment: readonly (readonly [string, string])[] = []) => {
      const {
        command,
        user,
        group,
        network,
        workingDirectory,
        environment: own,
      } = commandOf(shop(), { ...planned(step), environment }, viewOf([]), world.path("scratch"));
      return [command, user, group, network, workingDirectory, own];
    };
    assert.deepEqual(command({ run: "a && b" }), [["/bin/sh", "-ec", "a && b"], "0", "0", "none", undefined, []]);
    const all = {
      run: ["a", "b c"],
      user: "www",
      group: "5",
      network: "host",
      workingDirectory: "/srv",
      environment: { A: "own" },
    };
    assert.deepEqual(
      command(all, [
        ["A", "image"],
        ["B", "2"],
      ]),
      [
        ["a", "b c"],
        "www",
        "5",
        "host",
        "/srv",
        [
          ["A", "own"],
          ["B", "2"],
        ],
      ],
    );
  });
});
