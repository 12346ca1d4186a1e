import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reifyPodManifest, requireName } from "../../src/pod/reify.ts";
import { ImageManifest } from "../../src/schema/image-manifest.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

const id = `sha512-${"ab".repeat(64)}`;

describe("reifyPodManifest (POD-3, POD-7)", () => {
  const pod = (app: unknown) =>
    PodManifest.parse({ acKind: "PodManifest", acVersion: "0.8.11", apps: [{ name: "web", image: { id }, app }] });
  const image = (app: unknown) => () =>
    ImageManifest.parse({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/web", app });

  it("an app without `app` gets its image's", () => {
    const { manifest } = reifyPodManifest(pod(undefined), image({ user: "5", group: "6", exec: ["/x"] }));
    assert.deepEqual([manifest.apps[0]?.app?.user, manifest.apps[0]?.image.name], ["5", "example.com/web"]);
  });

  it("ISO-1: isolators are the image's only where its app is", () => {
    const isolators = [{ name: "os/linux/cpu-shares", value: 7 }];
    const app = { user: "5", group: "6", exec: ["/x"], isolators };
    const ofImage = reifyPodManifest(pod(undefined), image(app)).imageIsolators.get("web");
    assert.deepEqual(ofImage, new Set(["os/linux/cpu-shares"]));
    assert.deepEqual(reifyPodManifest(pod(app), image(app)).imageIsolators.get("web"), new Set());
  });

  it("ISO-15: appc's defaults are the word of whoever runs it, what the image says beside them stays the image's", () => {
    const isolators = [
      { name: "os/linux/cpu-shares", value: 7 },
      { name: "os/linux/capabilities-remove-set", value: { set: ["CAP_KILL"] } },
    ];
    const app = { user: "5", group: "6", exec: ["/x"], isolators };
    const { manifest, imageIsolators } = reifyPodManifest(pod(undefined), image(app), { appcDefaults: true });
    assert.deepEqual(imageIsolators.get("web"), new Set(["os/linux/cpu-shares"]));
    assert.deepEqual(
      manifest.apps[0]?.app?.isolators.map(({ name }) => name),
      ["os/linux/cpu-shares", "os/linux/capabilities-retain-set", "os/linux/no-new-privileges"],
    );
  });

  it("an app of the manifest replaces the image's whole (POD-7)", () => {
    const own = { user: "1", group: "2", exec: ["/own"] };
    const { manifest } = reifyPodManifest(pod(own), image({ user: "5", group: "6", exec: ["/x"] }));
    assert.deepEqual([manifest.apps[0]?.app?.user, manifest.apps[0]?.app?.exec], ["1", ["/own"]]);
  });

  it("neither is an error", () => {
    assert.throws(() => reifyPodManifest(pod(undefined), image(undefined)), fails("MANIFEST_INVALID", /web: neither/));
  });

  it("POD-9, POD-43: a volume of one app's own becomes one of the pod that nobody else mounts, though others are called so", () => {
    const app = { user: "0", group: "0", exec: ["/x"] };
    const own = { volume: "data", path: "/data", appVolume: { name: "data", kind: "empty", mode: "0700" } };
    const document = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: ["a", "b"].map((name) => ({ name, image: { id }, app, mounts: [own] })),
      volumes: [{ name: "a-data", kind: "host", source: "/srv" }],
    };
    const { manifest, warnings } = reifyPodManifest(PodManifest.parse(document), image(app));
    assert.deepEqual(
      manifest.volumes.map(({ name, kind }) => `${name} ${kind}`),
      ["a-data host", "a-data-2 empty", "b-data empty"],
    );
    assert.deepEqual(
      manifest.apps.map(({ mounts }) => mounts),
      [[{ volume: "a-data-2", path: "/data" }], [{ volume: "b-data", path: "/data" }]],
    );
    assert.deepEqual(warnings, []);
  });

  it("keeps what it knows nothing of: annotations and labels of pod and apps", () => {
    const app = { user: "0", group: "0", exec: ["/x"], userLabels: { tier: "front" } };
    const annotations = [{ name: "example.com/a", value: "1" }];
    const document = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "web", image: { id }, app, annotations }],
      annotations,
      userAnnotations: { "any key": "x" },
      userLabels: { a: "b" },
    };
    const { manifest } = reifyPodManifest(PodManifest.parse(document), image(undefined));
    assert.deepEqual([manifest.annotations, manifest.apps[0]?.annotations], [annotations, annotations]);
    assert.deepEqual([manifest.userAnnotations, manifest.userLabels], [{ "any key": "x" }, { a: "b" }]);
    assert.deepEqual(manifest.apps[0]?.app?.userLabels, { tier: "front" });
  });
});

describe("requireName", () => {
  it("TYPE-2: names what is no name", () => {
    assert.equal(requireName("a-1", "USAGE"), "a-1");
    assert.throws(() => requireName("A", "MANIFEST_INVALID"), fails("MANIFEST_INVALID", /A is no/));
  });
});
