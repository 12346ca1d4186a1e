import assert from "node:assert/strict";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { buildImage } from "../../src/api/build.ts";
import { readArchive } from "../../src/image/archive.ts";
import { defaultImageLimits, type ImageLimits } from "../../src/image/limits.ts";
import { fails } from "../helpers/failures.ts";
import { makeLayout } from "../helpers/image-tree.ts";
import { testSettings } from "../helpers/settings.ts";
import "../helpers/shim.ts";
import { makeTemporary } from "../helpers/temporary.ts";
import { craft, makeKey } from "../helpers/trust.ts";

let temporary: Awaited<ReturnType<typeof makeTemporary>>;
const at = (name: string) => join(temporary.path, name);

before(async () => {
  temporary = await makeTemporary();
  await mkdir(at("layout"));
  makeLayout(at("layout"));
});
after(() => temporary.remove());

describe("buildImage", () => {
  const parts = () => ({ manifest: at("layout/manifest"), rootfs: at("layout/rootfs") });

  it("a directory, and its two parts, are one image", async () => {
    const whole = await buildImage(testSettings(), { directory: at("layout"), output: at("whole.aci") });
    const apart = await buildImage(testSettings(), { ...parts(), output: at("apart.aci") });
    assert.equal(whole.id, apart.id);
    assert.equal((await readArchive(createReadStream(at("whole.aci")))).id, whole.id);
  });
  it("TRUST-15: warns of a signature beside the output that is not of it any more, not when the bytes are the same", async () => {
    const warnings: string[] = [];
    const base = testSettings();
    const settings = { ...base, log: { ...base.log, warn: (message: string) => void warnings.push(message) } };
    const options = { ...parts(), output: at("signed.aci"), overwrite: true };
    await buildImage(settings, options);
    writeFileSync(at("signed.aci.asc"), await craft(await makeKey(), readFileSync(at("signed.aci"))));
    await buildImage(settings, options);
    assert.deepEqual(warnings, []);
    await buildImage({ ...settings, sourceDateEpoch: 7 }, options);
    assert.equal(warnings.length, 1);
    assert.match(warnings.join(), /signed\.aci\.asc signs other bytes/);
  });
  it("takes SOURCE_DATE_EPOCH from the settings", async () => {
    const settings = { ...testSettings(), sourceDateEpoch: 5 };
    const dated = await buildImage(settings, { ...parts(), output: at("dated.aci") });
    let latest = 0n;
    await readArchive(createReadStream(dated.path), async (members) => {
      for await (const { mtime } of members) latest = mtime.seconds > latest ? mtime.seconds : latest;
    });
    assert.equal(latest, 5n);
  });
  it("hands on the other options", async () => {
    const options = { ...parts(), output: at("options.aci"), compression: "none", ownerRoot: true } as const;
    await buildImage(testSettings(), options);
    await assert.rejects(buildImage(testSettings(), options), fails("ALREADY_EXISTS"));
    await buildImage(testSettings(), { ...options, overwrite: true });
    const owners = new Set<number>();
    const { compression } = await readArchive(createReadStream(options.output), async (members) => {
      for await (const { uid } of members) owners.add(uid);
    });
    assert.deepEqual([compression, owners], ["none", new Set([0])]);
  });
  it("ACI-20: what is wrong with the manifest is said of the file", async () => {
    const wrong = { ...parts(), manifest: at("layout/rootfs/a\nb"), output: at("x.aci") };
    await assert.rejects(
      buildImage(testSettings(), wrong),
      fails("JSON_INVALID", /rootfs\/a\\x0ab .* line 1 column 1/),
    );
  });
  it("neither, both or half of them is a mistake of usage", async () => {
    const output = at("x.aci");
    const { manifest, rootfs } = parts();
    for (const options of [{}, { manifest }, { rootfs }, { directory: at("layout"), rootfs }]) {
      await assert.rejects(
        buildImage(testSettings(), { ...options, output }),
        fails("USAGE", /either/, { hint: /build DIR/ }),
      );
    }
  });
  it("ACI-12: the limits of the settings hold for what is built; nothing is left of what is past them", async () => {
    const settings = testSettings();
    const build = (limits: Partial<ImageLimits>, name: string) =>
      buildImage(
        { ...settings, limits: async () => ({ ...defaultImageLimits, ...limits }) },
        { ...parts(), output: at(name) },
      );
    await build({ entries: 100 }, "within.aci");
    await assert.rejects(build({ entries: 2 }, "past.aci"), fails("LIMIT_EXCEEDED", /more than 2 entries/));
    await assert.rejects(build({ pathLength: 7 }, "past.aci"), fails("LIMIT_EXCEEDED"));
    assert.deepEqual(
      (await readdir(temporary.path)).filter((name) => /past/.test(name)),
      [],
    );
  });
  it("T-R22: an image must not be made of a link to a directory", async () => {
    await mkdir(at("empty"));
    await assert.rejects(
      buildImage(testSettings(), { directory: at("empty"), output: at("x.aci") }),
      fails("IMAGE_INVALID"),
    );
    await rm(at("empty"), { recursive: true });
    assert.ok(!(await readdir(temporary.path)).includes("x.aci"));
  });
});
