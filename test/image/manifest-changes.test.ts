import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { changeManifest, type ManifestChanges } from "../../src/image/manifest-changes.ts";
import { fails } from "../helpers/failures.ts";

const none: ManifestChanges = { mountPoints: [], ports: [], isolators: [] };
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value, undefined, 2));
const change = (manifest: object, changes: Partial<ManifestChanges>): unknown =>
  JSON.parse(String(changeManifest(bytesOf(manifest), { ...none, ...changes })));
const isolator = (name: string, value: unknown = true) => ({ name, value });

describe("changeManifest", () => {
  it("PATCH-3: gives back the very bytes when nothing changes", () => {
    const bytes = bytesOf({ acKind: "ImageManifest", app: null });
    assert.equal(changeManifest(bytes, none), bytes);
  });

  it("PATCH-3: keeps what no change names, fields that nobody knows included, in their order", () => {
    const manifest = { x: { deep: [1, null] }, name: "a", app: { user: "0", other: 1.5, exec: ["/a"] }, z: "" };
    const changed = changeManifest(bytesOf(manifest), { ...none, name: "b", user: "5" });
    assert.equal(
      String(changed),
      '{"x":{"deep":[1,null]},"name":"b","app":{"user":"5","other":1.5,"exec":["/a"]},"z":""}',
    );
  });

  it("makes an app for a command, and refuses other changes without one", () => {
    assert.deepEqual(change({}, { exec: ["/a"], user: "0" }), { app: { exec: ["/a"], user: "0" } });
    assert.throws(() => change({ app: null }, { user: "0" }), fails("USAGE", /no app/, { hint: /--exec/ }));
    assert.throws(() => change({}, { isolators: [isolator("os/linux/no-new-privileges")] }), fails("USAGE", /no app/));
  });

  it("ACI-34: replaces groups in whichever spelling they are", () => {
    assert.deepEqual(change({ app: { supplementaryGids: [1] } }, { supplementaryGIDs: [2, 3] }), {
      app: { supplementaryGIDs: [2, 3] },
    });
  });

  it("PATCH-4: ACI-41, ACI-42: replaces what has the same name in its place, and adds the rest", () => {
    const app = {
      mountPoints: [
        { name: "a", path: "/a" },
        { name: "b", path: "/b", readOnly: true },
      ],
      ports: null,
    };
    const mountPoints = [
      { name: "a", path: "/new" },
      { name: "c", path: "/c" },
    ];
    const ports = [{ name: "p", protocol: "tcp", port: 1 }];
    assert.deepEqual(change({ app }, { mountPoints, ports }), {
      app: { mountPoints: [mountPoints[0], app.mountPoints[1], mountPoints[1]], ports },
    });
  });

  it("PATCH-4: ACE-33, ACE-39: sets of capabilities replace each other, and so do sets of system calls", () => {
    const [retain, remove] = ["os/linux/capabilities-retain-set", "os/linux/capabilities-remove-set"];
    const before = [
      isolator(retain),
      isolator("resource/cpu"),
      isolator(remove),
      isolator("os/linux/seccomp-retain-set"),
    ];
    const isolators = [isolator(remove, 1), isolator("os/linux/seccomp-remove-set", 2)];
    assert.deepEqual(change({ app: { isolators: before } }, { isolators }), {
      app: { isolators: [isolators[0], isolator("resource/cpu"), isolators[1]] },
    });
  });
});
