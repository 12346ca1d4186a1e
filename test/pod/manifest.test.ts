import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AppRequest, makePodManifest, type PodRequest } from "../../src/pod/manifest.ts";
import { parseMountFlag, parseVolumeFlag } from "../../src/pod/volume-flags.ts";
import { App } from "../../src/schema/app.ts";
import { PodManifest } from "../../src/schema/pod-manifest.ts";
import { fails } from "../helpers/failures.ts";

const id = `sha512-${"a".repeat(128)}`;
const caller = { uid: 1000, gid: 1001 };

function request(flags: Partial<AppRequest> = {}, app?: AppRequest["image"]["manifest"]["app"]): AppRequest {
  const own = app === undefined ? { exec: ["/web", "-v"], user: "web", group: "www" } : app;
  return { ...flags, image: { id, name: "example.com/Web_1".toLowerCase(), labels: [], manifest: { app: own } } };
}

const make = (apps: readonly AppRequest[], pod: Partial<PodRequest> = {}) => makePodManifest(apps, { caller, ...pod });
const only = (flags: Partial<AppRequest>, pod: Partial<PodRequest> = {}, app?: Parameters<typeof request>[1]) =>
  make([request(flags, app)], pod).manifest.apps[0]?.app;

describe("makePodManifest", () => {
  it("is a valid pod manifest, named after the image (TYPE-3), and survives JSON", () => {
    const { manifest, warnings } = make([request()]);
    assert.deepEqual(warnings, []);
    assert.equal(manifest.apps[0]?.name, "web-1");
    const read = PodManifest.parse(JSON.parse(JSON.stringify(manifest)));
    assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(manifest)));
  });

  it("--exec replaces the whole list, arguments are appended to either (ACI-31)", () => {
    assert.deepEqual(only({})?.exec, ["/web", "-v"]);
    assert.deepEqual(only({ args: ["a", "--"] })?.exec, ["/web", "-v", "a", "--"]);
    assert.deepEqual(only({ exec: "/sh", args: ["-c", "x y"] })?.exec, ["/sh", "-c", "x y"]);
  });

  it("an image without app needs --exec and runs as the caller (ACI-29)", () => {
    assert.throws(() => only({}, {}, null), fails("MANIFEST_INVALID", /does not say what to run/, { hint: /--exec/ }));
    const app = only({ exec: "/sh" }, {}, null);
    assert.deepEqual([app?.user, app?.group, app?.exec], ["1000", "1001", ["/sh"]]);
  });

  it("flags override what the image says", () => {
    const app = only({
      user: "7",
      group: "8",
      supplementaryGids: "9,10",
      workingDirectory: "/srv",
      userLabels: ["k=v=w"],
      memory: "1G",
    });
    assert.deepEqual([app?.user, app?.group, app?.supplementaryGIDs], ["7", "8", [9, 10]]);
    assert.deepEqual([app?.workingDirectory, app?.userLabels], ["/srv", { k: "v=w" }]);
    assert.deepEqual(
      app?.isolators.map(({ name }) => name),
      ["resource/memory"],
    );
    const pod = make([request({ readOnlyRootfs: true, annotations: ["a.b/c=d"], name: "x" })]).manifest.apps[0];
    assert.deepEqual([pod?.readOnlyRootFS, pod?.name], [true, "x"]);
    assert.deepEqual(pod?.annotations, [{ name: "a.b/c", value: "d" }]);
  });

  it("environment: inherited < image < file < set < --environment (architecture 16)", () => {
    const app = only(
      { environment: ["D=app"] },
      {
        inheritedEnvironment: new Map([
          ["A", "inherited"],
          ["B", "inherited"],
        ]),
        fileEnvironment: [["C", "file"]],
        setEnvironment: [["D", "set"]],
      },
      { user: "0", group: "0", environment: ["B", "C", "D"].map((name) => ({ name, value: "image" })) },
    );
    const values = Object.fromEntries((app?.environment ?? []).map(({ name, value }) => [name, value]));
    assert.deepEqual(values, { A: "inherited", B: "image", C: "file", D: "app" });
  });

  it("ISO-1: whose isolators they are is known: the image's, or a flag's in their place", () => {
    const retain = { name: "os/linux/capabilities-retain-set", value: { set: ["CAP_SYS_ADMIN"] } };
    const shares = { name: "os/linux/cpu-shares", value: 7 };
    const app = App.parse({ user: "0", group: "0", exec: ["/x"], isolators: [retain, shares] });
    const fromImage = (flags: Partial<AppRequest>) =>
      make([request({ name: "web", ...flags }, app)]).imageIsolators.get("web");
    assert.deepEqual(fromImage({}), new Set([retain.name, shares.name]));
    assert.deepEqual(
      fromImage({ capsRetain: "CAP_SYS_ADMIN" }),
      new Set([shares.name]),
      "the same value, another's word",
    );
    assert.deepEqual(fromImage({ capsRemove: "CAP_KILL", cpuShares: "9" }), new Set());
  });

  it("POD-5: two apps of one name are refused", () => {
    assert.throws(() => make([request(), request()]), fails("USAGE", /two apps/, { hint: /--name/ }));
    assert.equal(make([request(), request({ name: "other" })]).manifest.apps.length, 2);
  });

  it("a pod has an app", () => assert.throws(() => make([]), fails("MANIFEST_INVALID")));

  const wrong: readonly Partial<AppRequest>[] = [
    { name: "Web" },
    { workingDirectory: "srv" },
    { workingDirectory: "/a/../b" },
    { supplementaryGids: "1,x" },
    { supplementaryGids: "4294967295" },
    { environment: ["X"] },
    { annotations: ["UPPER=x"] },
    { annotations: ["x"] },
    { userAnnotations: ["=x"] },
  ];
  for (const flags of wrong) {
    it(`refuses ${JSON.stringify(flags)}`, () => assert.throws(() => make([request(flags)]), fails("USAGE")));
  }
});

describe("mount points (POD-3, rkt 6.7)", () => {
  const app = App.parse({ user: "0", group: "0", exec: ["/x"], mountPoints: [{ name: "db", path: "/var/db/" }] });
  const mountsOf = (flags: Partial<AppRequest>, pod: Partial<PodRequest>) => {
    const reified = make([request(flags, app)], pod);
    const mounts = reified.manifest.apps[0]?.mounts.map(({ volume, path }) => `${volume} ${path}`);
    return { ...reified, mounts };
  };
  const db = parseVolumeFlag("db,kind=host,source=/srv");
  const other = parseVolumeFlag("other,kind=empty");

  it("a volume of the mount point's name is its volume", () => {
    const { mounts, warnings } = mountsOf({}, { volumes: [db] });
    assert.deepEqual([mounts, warnings], [["db /var/db/"], []]);
  });

  it("a mount of the same target wins over the name", () => {
    const { mounts } = mountsOf({ mounts: [parseMountFlag("volume=other,target=/var/db")] }, { volumes: [db, other] });
    assert.deepEqual(mounts, ["other /var/db"]);
  });

  it("an app's own mount wins over one for every app", () => {
    const { mounts } = mountsOf(
      { mounts: [parseMountFlag("volume=other,target=/var//db")] },
      {
        volumes: [db, other],
        mounts: [parseMountFlag("volume=db,target=/var/db"), parseMountFlag("volume=db,target=/x")],
      },
    );
    assert.deepEqual(mounts, ["other /var/db", "db /x"]);
  });

  it("POD-52: without a volume it is an empty one of the app's own, seeded, and said aloud", () => {
    const { mounts, warnings, manifest } = mountsOf({}, {});
    assert.deepEqual(mounts, ["web-1-db /var/db/"]);
    assert.deepEqual(manifest.volumes, [
      { name: "web-1-db", kind: "empty", mode: "0755", uid: 0, seeded: true, gid: 0 },
    ]);
    assert.match(warnings.join(), /web-1: no volume for mount point db/);
  });

  it("an implicit volume never is one that the user named", () => {
    const taken = parseVolumeFlag("web-1-db,kind=host,source=/srv");
    assert.deepEqual(mountsOf({}, { volumes: [taken] }).mounts, ["web-1-db-2 /var/db/"]);
  });

  it("two apps with the same mount point do not share it", () => {
    const { manifest } = make([request({ name: "a" }, app), request({ name: "b" }, app)]);
    assert.deepEqual(
      manifest.volumes.map(({ name }) => name),
      ["a-db", "b-db"],
    );
  });
});
