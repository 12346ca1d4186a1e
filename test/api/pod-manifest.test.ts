import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { decidePod } from "../../src/api/decide.ts";
import { choosePodOfManifest } from "../../src/api/pod-manifest.ts";
import { podStatus } from "../../src/api/pods.ts";
import { runPod } from "../../src/api/run.ts";
import type { RunOptions } from "../../src/api/run-options.ts";
import { openStoreSync } from "../../src/store/layout.ts";
import { findForHostSync } from "../../src/store/lookup.ts";
import { fails } from "../helpers/failures.ts";
import { guestWorld } from "../helpers/pod-world.ts";

const scene = guestWorld();
const name = "example.com/guest";
let id = "";

const base = { acKind: "PodManifest", acVersion: "0.8.11" };
const app = { exec: ["/guest", "exit", "6"], user: "0", group: "0" };

function written(document: unknown): string {
  const file = scene.world.path("pod.json");
  writeFileSync(file, typeof document === "string" ? document : JSON.stringify(document, undefined, 2));
  return file;
}

const choose = (document: unknown, options: Partial<RunOptions> = {}) =>
  choosePodOfManifest(
    scene.world.settings,
    openStoreSync(scene.world.data),
    { apps: [], ...options },
    written(document),
  );
const ofImage = (image: object, more: object = {}) => ({ ...base, apps: [{ name: "one", image, ...more }] });

describe("choosePodOfManifest", () => {
  before(() => {
    id = findForHostSync(openStoreSync(scene.world.data), name, [])?.id ?? "";
  });

  it("POD-41: takes stored images by their IDs or the beginnings of them", async () => {
    for (const wanted of [id, id.slice(0, 20)]) {
      const { images, reified } = await choose(ofImage({ id: wanted }, { readOnlyRootFS: true }));
      assert.equal(images[0]?.record.id, id);
      const [one] = reified.manifest.apps;
      assert.deepEqual(
        [one?.image.id, one?.image.name, one?.app?.exec[0], one?.readOnlyRootFS],
        [id, name, "/guest", true],
      );
      assert.deepEqual(reified.imageIsolators.get("one"), new Set());
    }
  });

  it("POD-7: what it says itself is the caller's word, also of isolators (ISO-1)", async () => {
    const isolators = [{ name: "os/linux/cpu-shares", value: 7 }];
    const document = {
      ...ofImage({ id }, { app: { ...app, isolators } }),
      isolators: [{ name: "resource/memory", value: { limit: "64Mi" } }],
    };
    const { reified } = await choose(document);
    assert.deepEqual(reified.imageIsolators.get("one"), new Set());
    assert.deepEqual(JSON.parse(JSON.stringify(reified.manifest.isolators)), document.isolators);
  });

  it("POD-40, ISO-8, ISO-15: --pids-limit replaces the isolator of the pod, --appc-defaults is for its apps", async () => {
    const memory = { name: "resource/memory", value: { limit: "64Mi" } };
    const document = {
      ...ofImage({ id }, { app }),
      isolators: [{ name: "perigee/pids", value: 9 }, memory],
    };
    const plain = decidePod(scene.world.settings, {}, await choose(document)).isolation;
    assert.deepEqual([plain.limits.pids, plain.apps[0]?.noNewPrivileges], [9, true]);
    const pod = await choose(document, { pidsLimit: "77", appcDefaults: true });
    assert.deepEqual(JSON.parse(JSON.stringify(pod.reified.manifest.isolators)), [
      memory,
      { name: "perigee/pids", value: 77 },
    ]);
    const { limits, apps } = decidePod(scene.world.settings, {}, pod).isolation;
    assert.deepEqual([limits.pids, apps[0]?.noNewPrivileges, apps[0]?.capabilities.length], [77, false, 14]);
    await assert.rejects(choose(document, { pidsLimit: "1" }), fails("USAGE", /--pids-limit/));
  });

  it("POD-41: fetches what is not stored when the document names it, and nothing else", async () => {
    const none = `sha512-${"0".repeat(128)}`;
    await assert.rejects(
      choose(ofImage({ id: none })),
      fails("NOT_FOUND", /one: no stored image/, { cause: /not name it/ }),
    );
    await assert.rejects(choose(ofImage({ id: none, name: "example.com/none" })), /this test uses no network/);
    const labels = [{ name: "version", value: "1:2" }];
    await assert.rejects(choose(ofImage({ id: none, name, labels })), fails("NOT_FOUND", /./, { cause: /labels/ }));
  });

  it("POD-41: refuses an image that is another than the document means", async () => {
    const none = `sha512-${"0".repeat(128)}`;
    await assert.rejects(
      choose(ofImage({ id: none, name })),
      fails("DIGEST_MISMATCH", /one: example.com\/guest is not/),
    );
    await assert.rejects(
      choose(ofImage({ id, name: "example.com/other" })),
      fails("NAME_MISMATCH", /not example.com\/other/),
    );
  });

  it("TRUST-20: and one that nobody vouches for", async () => {
    const settings = { ...scene.world.settings, insecure: new Set<never>() };
    const store = openStoreSync(scene.world.data);
    const chosen = choosePodOfManifest(settings, store, { apps: [] }, written(ofImage({ id })));
    await assert.rejects(chosen, fails("SIGNATURE_MISSING"));
  });

  const excluded: readonly (readonly [flag: string, options: Partial<RunOptions>])[] = [
    ["an image", { apps: [{ image: name }] }],
    ["--volume", { volumes: ["data,kind=empty"] }],
    ["--mount", { mounts: ["volume=a,target=/a"] }],
    ["--set-env", { setEnvironment: ["A=1"] }],
    ["--set-env-file", { environmentFiles: ["env"] }],
    ["--inherit-env", { inheritEnvironment: true }],
    ["--pull-policy", { pullPolicy: "never" }],
    ["--pull-policy", { pullPolicy: "update" }],
  ];
  for (const [flag, options] of excluded) {
    it(`POD-40: excludes ${flag} ${JSON.stringify(options)}`, async () => {
      await assert.rejects(choose(ofImage({ id }), options), fails("USAGE", new RegExp(`and ${flag} exclude`)));
    });
  }

  const wrong: readonly (readonly [rule: string, document: unknown, cause: RegExp])[] = [
    ["POD-4", { ...ofImage({ id: "x" }), acKind: "ImageManifest" }, /2:13 acKind: POD-4/],
    [
      "POD-5",
      { ...base, apps: [1, 2].map(() => ({ name: "a", image: { id: `sha512-${"ab".repeat(64)}` } })) },
      /11:5 apps\[1\]: POD-5: duplicate/,
    ],
    ["POD-6", ofImage({ id: "x" }), /8:15 apps\[0\]\.image\.id: TYPE-6/],
    [
      "POD-8",
      ofImage({ id: `sha512-${"ab".repeat(64)}` }, { readOnlyRootFS: "yes" }),
      /apps\[0\]\.readOnlyRootFS: POD-8/,
    ],
    ["POD-11", { ...base, apps: [], volumes: [{ name: "a", kind: "tape" }] }, /\d+:\d+ volumes\[0\].*POD-11/],
    ["POD-12", { ...base, apps: [], volumes: [{ name: "a", kind: "host", source: "/a", mode: "0755" }] }, /POD-12/],
    ["POD-14", { ...base, apps: [], volumes: [{ name: "a", kind: "empty", mode: "9" }] }, /POD-14/],
    ["POD-16", { ...base, apps: [], ports: [{ name: "a", hostPort: 0 }] }, /ports\[0\]\.hostPort: POD-16/],
  ];
  for (const [rule, document, cause] of wrong) {
    it(`${rule}: a document that breaks it is refused, with the place`, async () => {
      await assert.rejects(choose(document), fails("MANIFEST_INVALID", /pod\.json breaks/, { cause }));
    });
  }

  it("JSON-4: a key that stands twice, text that is no JSON, a file that is not there", async () => {
    await assert.rejects(
      choose('{"acKind": "PodManifest",\n "acKind": "PodManifest"}'),
      fails("JSON_INVALID", /line 2 column 2/),
    );
    await assert.rejects(choose("["), fails("JSON_INVALID"));
    const store = openStoreSync(scene.world.data);
    const missing = choosePodOfManifest(scene.world.settings, store, { apps: [] }, scene.world.path("none.json"));
    await assert.rejects(missing, fails("NOT_FOUND", /none\.json/));
  });

  it("a pod without apps is none", async () => {
    await assert.rejects(choose({ ...base, apps: [] }), fails("MANIFEST_INVALID", /at least one app/));
  });
});

describe("runPod with a pod manifest", () => {
  it("runs every app of it", async () => {
    const { world } = scene;
    // The first fails nothing: whoever does ends the others.
    const apps = ["0", "6"].map((exit) => ({
      name: `exit-${exit}`,
      image: { id },
      app: { ...app, exec: ["/guest", "exit", exit] },
    }));
    const pod = await runPod(world.settings, { apps: [], podManifest: written({ ...base, apps }), foreground: false });
    assert.equal(await (await pod.spawn()).exited, 6);
    const status = await podStatus(world.settings, { pod: pod.uuid });
    assert.deepEqual(
      status.apps.map(({ name: one, exitStatus }) => [one, exitStatus]),
      [
        ["exit-0", 0],
        ["exit-6", 6],
      ],
    );
  });
});
