import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { choosePod } from "../../src/api/choose-pod.ts";
import { decidePod } from "../../src/api/decide.ts";
import type { RunApp, RunOptions } from "../../src/api/run-options.ts";
import { openStoreSync } from "../../src/store/layout.ts";
import { fails } from "../helpers/failures.ts";
import { PodWorld } from "../helpers/pod-world.ts";

let world: PodWorld;
let image = "";
before(async () => {
  world = await PodWorld.open();
  const environment = ["A", "B", "C", "D"].map((name) => ({ name, value: "image" }));
  image = await world.stored("example.com/guest", { environment });
});
after(() => world.close());

const choose = (options: Partial<RunOptions> = {}, app: Partial<RunApp> = {}) => {
  const settings = { ...world.settings, environment: new Map([["FROM", "caller"]]) };
  return choosePod(settings, openStoreSync(world.data), { apps: [{ image, ...app }], ...options });
};

describe("choosePod", () => {
  it("architecture 16: inherited < image < files < --set-env < --environment", async () => {
    const file = world.path("env");
    writeFileSync(file, "B=file\nC=file\nD=file\n");
    const options = { inheritEnvironment: true, environmentFiles: [file], setEnvironment: ["C=set", "D=set"] };
    const { manifest } = (await choose(options, { environment: ["D=app"] })).reified;
    const values = new Map(manifest.apps[0]?.app?.environment.map(({ name, value }) => [name, value]));
    assert.deepEqual(
      ["FROM", "A", "B", "C", "D"].map((name) => values.get(name)),
      ["caller", "image", "file", "set", "app"],
    );
    await assert.rejects(choose({ environmentFiles: [`${file}.none`] }), fails("NOT_FOUND", /env\.none/));
  });

  it("ISO-8, ISO-15: --pids-limit and --appc-defaults are in the manifest, where a prepared pod keeps them", async () => {
    const pod = await choose({ pidsLimit: "77", appcDefaults: true });
    const { manifest } = pod.reified;
    assert.deepEqual(manifest.isolators, [{ name: "perigee/pids", value: 77 }]);
    assert.ok(manifest.apps[0]?.app?.isolators.some(({ name }) => name === "os/linux/capabilities-retain-set"));
    const { limits, apps } = decidePod(world.settings, {}, pod).isolation;
    assert.equal(limits.pids, 77);
    assert.deepEqual([apps[0]?.noNewPrivileges, apps[0]?.capabilities.length], [false, 14]);
  });

  it("brings the image of each app, its flags parsed", async () => {
    const { images, reified } = await choose(
      { volumes: ["data,kind=empty"], mounts: ["volume=data,target=/all"] },
      { mounts: ["volume=data,target=/own"] },
    );
    assert.equal(images[0]?.treeId, images[0]?.record.id);
    assert.equal(reified.manifest.apps[0]?.image.id, images[0]?.record.id);
    assert.deepEqual(
      reified.manifest.apps[0]?.mounts.map(({ path }) => path),
      ["/own", "/all"],
    );
    await assert.rejects(choose({ volumes: ["data"] }), fails("USAGE"));
    await assert.rejects(choose({ pullPolicy: "never" }, { image: "example.com/none" }), fails("NOT_FOUND"));
  });
});
