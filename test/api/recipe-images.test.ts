import assert from "node:assert/strict";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { exportImage } from "../../src/api/export-image.ts";
import { fetchImages } from "../../src/api/fetch.ts";
import { fetchBase } from "../../src/api/recipe-images.ts";
import { readArchive } from "../../src/image/archive.ts";
import { readRecipe } from "../../src/recipe/read.ts";
import { fails } from "../helpers/failures.ts";
import { file, hardlink, type ImageParts, directory as inside, layer, writeLayout } from "../helpers/oci-images.ts";
import { guest } from "../helpers/program.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";

let world: RecipeWorld;
beforeEach(async () => {
  world = await RecipeWorld.open();
  world.context({ file: "1" });
});
afterEach(() => world.remove());

/** Two layers: the upper one changes a file, takes one away, makes a directory opaque and has a name more for a file of its own. */
function layout(more: Partial<ImageParts> = {}): string {
  const low = [
    inside("etc"),
    file("etc/same"),
    file("etc/changed", "low"),
    file("etc/gone"),
    inside("opt"),
    file("opt/hidden"),
  ];
  const high = [
    inside("etc"),
    file("etc/.wh.gone", ""),
    file("etc/changed", "high", { uid: 7 }),
    inside("opt"),
    file("opt/.wh..wh..opq", ""),
    file("opt/new"),
    hardlink("opt/other", "opt/new"),
  ];
  const program = [{ ...file("guest"), body: readFileSync(guest), mode: 0o755 }];
  writeLayout(world.path("context/layout"), {
    tag: "1",
    layers: [layer([...low, ...program]), layer(high)],
    config: { Entrypoint: ["/guest"], Labels: { of: "base" } },
    ...more,
  });
  return "oci:layout:1";
}

/** The image of the layout, in the store. */
async function stored() {
  const reference = layout().replace("oci:", `oci:${world.path("context")}/`);
  const [record] = await fetchImages(world.settings, { images: [{ reference }] });
  assert.ok(record !== undefined);
  return record;
}

async function contentOf(path: string) {
  const found = new Map<string, string>();
  const owners = new Map<string, number>();
  const { manifest } = await readArchive(createReadStream(path), async (members) => {
    for await (const { path: name, uid, type, link, body } of members) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(Buffer.from(chunk));
      found.set(name.toString(), type === "hardlink" ? `→ ${link}` : Buffer.concat(chunks).toString("latin1"));
      owners.set(name.toString(), uid);
    }
  });
  return { manifest, found, owners };
}
const without = (found: ReadonlyMap<string, string>, ...names: readonly string[]) =>
  [...found].filter(([name]) => !names.includes(name));

const ofBase = [
  [".", ""],
  ["etc", ""],
  ["etc/changed", "high"],
  ["etc/same", "etc/same"],
  ["opt", ""],
  ["opt/new", "opt/new"],
  ["opt/other", "→ opt/new"],
];

describe("an image of Docker or OCI as base (RECIPE-4, RECIPE-21)", () => {
  it("all its files are in the result, as its layers show them, and its app stays", async () => {
    const { path } = await world.build({ base: layout() });
    const { manifest, found, owners } = await contentOf(path);
    assert.deepEqual(without(found, "guest"), ofBase);
    assert.equal(found.get("guest"), readFileSync(guest, "latin1"));
    assert.equal(owners.get("etc/changed"), 7);
    assert.deepEqual([manifest.app?.exec, manifest.dependencies, manifest.annotations], [["/guest"], [], []]);
  });
  it("RECIPE-52: steps see all of it; again from the cache, and without, it is the same image", async () => {
    const recipe = {
      base: { image: layout() },
      steps: [
        { copy: { from: "file", to: "/opt/copied" } },
        { remove: "/etc/same" },
        { run: ["/guest", "cat", "/opt/new"] },
        { run: ["/guest", "absent", "/etc/gone"] },
        { run: ["/guest", "absent", "/opt/hidden"] },
        { run: ["/guest", "write", "/etc/made", "made", ",", "unlink", "/etc/changed"] },
      ],
    };
    const first = await world.build(recipe);
    const { found, manifest } = await contentOf(first.path);
    assert.deepEqual(without(found, "guest"), [
      [".", ""],
      ["etc", ""],
      ["etc/made", "made"],
      ["opt", ""],
      ["opt/copied", "1"],
      ["opt/new", "opt/new"],
      ["opt/other", "→ opt/new"],
    ]);
    assert.deepEqual([found.has("guest"), manifest.app?.exec], [true, ["/guest"]]);
    const second = await world.build(recipe);
    assert.deepEqual([second.cached, second.steps.every(({ cached }) => cached), second.id], [true, true, first.id]);
    const third = await world.build(recipe, { useCache: false });
    assert.deepEqual([third.cached, third.id], [false, first.id]);
    assert.deepEqual(world.podRemains(), []);
  });
  it("another base with the same steps is another image", async () => {
    const steps = [{ copy: { from: "file", to: "/opt/copied" } }];
    const first = await world.build({ base: layout(), steps });
    layout({ tag: "2", layers: [layer([inside("opt"), file("opt/else")])] });
    const second = await world.build({ base: "oci:layout:2", steps });
    assert.notEqual(second.id, first.id);
    assert.deepEqual([...(await contentOf(second.path)).found.keys()], [".", "opt", "opt/copied", "opt/else"]);
  });
  it("the layers and the manifest of an image; those of an archive are one", async () => {
    const read = async (base: string) => {
      writeFileSync(world.path("context/r.json"), JSON.stringify({ name: "example.com/made", base }));
      return await fetchBase(world.settings, await readRecipe(world.path("context/r.json")), world.path("context"), {});
    };
    const base = await read(layout());
    assert.equal(base?.layers.length, 3);
    assert.deepEqual(base?.manifest.app?.exec, ["/guest"]);
    await world.build({});
    assert.equal((await read("../made.aci"))?.layers.length, 1);
    assert.equal(await read("empty"), undefined);
  });
});

describe("what a recipe depends on (RECIPE-41)", () => {
  it("an image of layers is refused with its place, and the ways to use it", async () => {
    const { name } = await stored();
    const steps = [{ mkdir: { path: "/a" } }];
    await assert.rejects(
      world.build({ base: { dependency: name }, steps }),
      fails("UNSUPPORTED", /^\/.*recipe\.json:1:\d+: no image can depend on layout/, {
        hint: /base: .*export --as aci/,
      }),
    );
    const later = [{ label: { a: "b" } }, { dependency: { imageName: name } }, ...steps];
    await assert.rejects(world.build({ steps: later }), fails("UNSUPPORTED", /recipe\.json:1:\d+: no image can/));
  });
  it("converted it can be the base as a file", async () => {
    const { id } = await stored();
    await exportImage(world.settings, { image: id, output: world.path("context/base.aci"), as: "aci" });
    const { path } = await world.build({ base: { file: "base.aci" } });
    assert.deepEqual(without((await contentOf(path)).found, "guest"), ofBase);
  });
});

describe("what is not there", () => {
  const text = (base: string) => `name: example.com/made\nsteps:\n  - mkdir: { path: /a }\nbase: ${base}\n`;
  const refused = async (source: string, code: Parameters<typeof fails>[0], message: RegExp) => {
    const file = world.path("context/recipe.yaml");
    writeFileSync(file, source);
    await assert.rejects(world.build({}, { file }), fails(code, message));
  };
  it("a base is named with line and column", async () => {
    await refused(text("{ file: absent.aci }"), "NOT_FOUND", /^\/.*recipe\.yaml:4:1: /);
    await refused(text("{ directory: absent }"), "NOT_FOUND", /^\/.*recipe\.yaml:4:1: there is no directory \//);
    await refused(text("sha512-0123456789abcdef"), "NOT_FOUND", /^\/.*recipe\.yaml:4:1: /);
    await refused(text("oci:absent"), "NOT_FOUND", /^\/.*recipe\.yaml:4:1: .*context\/absent/);
    world.files("context/rootfs", { a: "" });
    await refused(text("./rootfs"), "RECIPE_INVALID", /^\/.*recipe\.yaml:4:1: RECIPE-4: the base .* is a directory/);
  });
  it("a dependency is named where the recipe lists it", async () => {
    const never = { pullPolicy: "never" } as const;
    const build = async (source: string) => {
      const path = world.path("context/recipe.yaml");
      writeFileSync(path, source);
      return await world.build({}, { file: path, ...never });
    };
    await assert.rejects(build(text("{ dependency: example.com/absent }")), fails("NOT_FOUND", /recipe\.yaml:4:1: /));
    const listed =
      "name: example.com/made\nsteps:\n  - dependency: { imageName: example.com/absent }\n  - mkdir: { path: /a }\n";
    await assert.rejects(build(listed), fails("NOT_FOUND", /recipe\.yaml:3:5: /));
    const manifest = {
      acKind: "ImageManifest",
      acVersion: "0.8.11",
      name: "example.com/x",
      dependencies: [{ imageName: "example.com/absent" }],
    };
    world.context({ "m.json": JSON.stringify(manifest) });
    const replaced = "name: example.com/made\nsteps:\n  - replaceManifest: m.json\n  - mkdir: { path: /a }\n";
    await assert.rejects(build(replaced), fails("NOT_FOUND", /recipe\.yaml:3:5: /));
  });
});
