import assert from "node:assert/strict";
import { linkSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { showImage } from "../../src/api/images.ts";
import { imageSbom } from "../../src/api/sbom.ts";
import { sha512 } from "../../src/base/digest.ts";
import { gzipParameters } from "../../src/image/gzip.ts";
import { fails } from "../helpers/failures.ts";
import { RecipeWorld } from "../helpers/recipe-world.ts";
import { assertCyclonedx, assertSpdx } from "../helpers/sbom.ts";

let world: RecipeWorld;
beforeEach(async () => {
  world = await RecipeWorld.open();
  world.context({ "low/status": status("low"), "high/status": status("high") });
});
afterEach(() => world.remove());

const status = (name: string) => `Package: ${name}\nVersion: 1\nArchitecture: amd64\nStatus: install ok installed\n`;
const dpkg = "/var/lib/dpkg/";
/** The first layer's package is hidden by the last one's, and a package of npm was there and is gone. */
const steps = [
  { copy: { from: "low/status", to: dpkg } },
  { write: { to: "/srv/node_modules/gone/package.json", content: '{"name":"gone","version":"1.0.0"}' } },
  { write: { to: "/srv/node_modules/kept/package.json", content: '{"name":"kept","version":"1.0.0"}' } },
  { remove: "/srv/node_modules/gone" },
  { copy: { from: "high/status", to: dpkg } },
];
const read = (path: string) => readFileSync(path, "utf8");

describe("a recipe's image with a bill of materials (SBOM-7)", () => {
  it("has what the final tree has, beside the image, and the manifest has its digest", async () => {
    for (const [kind, suffix, assertForm] of [
      ["spdx", "spdx", assertSpdx],
      ["cyclonedx", "cdx", assertCyclonedx],
    ] as const) {
      const built = await world.build({ annotations: { note: "x" }, steps }, { sbom: kind });
      const path = `${built.path}.${suffix}.json`;
      const text = read(path);
      assert.deepEqual(built.sbom, { kind, path, sha512: sha512(text) });
      assertForm(JSON.parse(text));
      assert.match(text, /pkg:deb\/debian\/high@1/);
      assert.match(text, /pkg:npm\/kept@1\.0\.0/);
      assert.doesNotMatch(text, /pkg:deb\/debian\/low|pkg:npm\/gone/);
      const { annotations } = JSON.parse(String(await showImage(world.settings, { image: built.path })));
      assert.deepEqual(annotations, [
        { name: "note", value: "x" },
        { name: `perigee/sbom-${kind}`, value: `sha512-${sha512(text)}` },
      ]);
      const found = await imageSbom(world.settings, { image: built.path });
      assert.deepEqual(found.packages.map(({ name }) => name).sort(), ["high", "kept"]);
    }
  });
  it("RECIPE-52, RECIPE-54: again it does no work and gives the same two files", async () => {
    const first = await world.build({ steps }, { sbom: "spdx" });
    const files = () => [read(first.path), read(`${first.path}.spdx.json`)];
    const [before, made] = [files(), world.cached("steps")];
    const second = await world.build({ steps }, { sbom: "spdx" });
    assert.deepEqual([second.id, second.cached, second.steps.every(({ cached }) => cached)], [first.id, true, true]);
    assert.deepEqual([files(), world.cached("steps")], [before, made]);
    const third = await world.build({ steps }, { sbom: "spdx", useCache: false });
    assert.deepEqual([third.id, third.cached, files()], [first.id, false, before]);
    const plain = await world.build({ steps });
    assert.notEqual(plain.id, first.id);
    assert.ok(plain.steps.every(({ cached }) => cached));
  });
  it("RECIPE-54: the bill follows from layers, manifest and time; a changed file is in the next one", async () => {
    const bill = async (...args: Parameters<typeof world.build>) => {
      const { sbom, path } = await world.build(args[0], { sbom: "spdx", ...args[1] }, args[2]);
      return { digest: sbom?.sha512, text: read(`${path}.spdx.json`) };
    };
    const first = await bill({ steps });
    const timed = await bill({ steps }, {}, { sourceDateEpoch: 86_400 });
    assert.match(timed.text, /1970-01-02T00:00:00Z/);
    const named = await bill({ name: "example.com/other", steps });
    assert.match(named.text, /example\.com\/other/);
    world.context({ "high/status": status("newer") });
    const changed = await bill({ steps });
    assert.match(changed.text, /pkg:deb\/debian\/newer@1/);
    assert.equal(new Set([first, timed, named, changed].map(({ digest }) => digest)).size, 4);
  });
  it("SBOM-3: reads hard links of layers, whatever hides their first name", async () => {
    world.files("rootfs/var/lib/dpkg", { real: status("linked") });
    linkSync(world.path("rootfs/var/lib/dpkg/real"), world.path("rootfs/var/lib/dpkg/status"));
    const base = { directory: "../rootfs" };
    for (const more of [[], [{ remove: "/var/lib/dpkg/real" }]]) {
      const { path } = await world.build({ base, steps: [{ mkdir: { path: "/a" } }, ...more] }, { sbom: "spdx" });
      assert.match(read(`${path}.spdx.json`), /pkg:deb\/debian\/linked@1/);
    }
  });
  it("problems are told again, also when everything else is known", async () => {
    const link = { symlink: { path: "/lib/apk/db/installed", target: "/x" } };
    for (const cached of [false, true]) {
      world.heard.length = 0;
      const built = await world.build({ steps: [link] }, { sbom: "spdx" });
      assert.equal(built.cached, cached);
      assert.match(world.heard.join("\n"), /lib\/apk\/db\/installed is a symlink/);
    }
  });
  it("is both files or neither, and refuses before any step", async () => {
    const bill = `${world.path("made.aci")}.spdx.json`;
    writeFileSync(bill, "mine");
    const build = world.build({ steps }, { sbom: "spdx", overwrite: false });
    await assert.rejects(build, fails("ALREADY_EXISTS", /spdx/));
    assert.deepEqual(world.cached("steps"), []);
    const signal = AbortSignal.abort();
    await assert.rejects(world.build({ steps }, { sbom: "cyclonedx", signal }), fails("INTERRUPTED"));
    assert.deepEqual(
      readdirSync(world.directory).filter((name) => /aci/.test(name)),
      ["made.aci.spdx.json"],
    );
    assert.equal(read(bill), "mine");
  });
  it("says how the image is compressed, with a bill and without", async () => {
    assert.deepEqual((await world.build({ steps }, { sbom: "spdx" })).compression, gzipParameters);
    assert.deepEqual((await world.build({ steps })).compression, gzipParameters);
    assert.deepEqual((await world.build({ steps }, { compression: "none" })).compression, { kind: "none" });
  });
  it("an acbuild script has one too", async () => {
    world.context({ script: "begin\nset-name example.com/made\ncopy high/status /var/lib/dpkg/status\n" });
    const options = { file: world.path("context/script"), language: "acbuild", sbom: "cyclonedx" } as const;
    const { path } = await world.build({}, options);
    assert.match(read(`${path}.cdx.json`), /pkg:deb\/debian\/high@1/);
  });
});
