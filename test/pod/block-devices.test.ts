import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { type DeviceProbe, findBlockDevices, placeBlockDevices } from "../../src/pod/block-devices.ts";

const mountinfo = [
  "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
  "21 20 0:40 / /srv rw - btrfs /dev/sdb rw",
  "22 20 0:41 / /tmp rw - tmpfs tmpfs rw",
  "23 20 0:42 / /merged rw - overlay overlay rw",
  "24 20 7:0 / /srv/with\\040space rw - ext4 /dev/loop0 rw",
].join("\n");

const devices: Readonly<Record<string, string>> = {
  "/": "8:1",
  "/data": "8:1",
  "/srv/db": "0:40",
  "/srv": "0:40",
  "/srv/with space": "7:0",
  "/tmp/x": "0:41",
  "/merged/x": "0:42",
};
const probe: DeviceProbe = {
  deviceOf: (path) => devices[path],
  blockFile: (path) => (path === "/dev/sdb" ? "8:16" : undefined),
  diskOf: (device) => (device.startsWith("0:") ? undefined : device === "8:1" ? "8:0" : device),
};
const place = (...sources: readonly string[]) =>
  placeBlockDevices(
    sources.map((source) => ({ source: source.replace("+", ""), recursive: source.endsWith("+") })),
    mountinfo,
    probe,
  );

describe("placeBlockDevices (ISO-11)", () => {
  it("of a partition it is the disk, and each disk once", () => {
    assert.deepEqual(place("/data", "/"), { devices: ["8:0"], unknown: [] });
  });

  it("memory and what is not there have none", () => {
    assert.deepEqual(place("/tmp/x", "/nothing"), { devices: [], unknown: [] });
  });

  it("a btrfs is on the device that it names, and may be on more; an overlay names none", () => {
    assert.deepEqual(place("/srv/db", "/merged/x"), { devices: ["8:16"], unknown: ["/srv/db", "/merged/x"] });
  });

  it("with a recursive volume what is mounted below it counts, too", () => {
    assert.deepEqual(place("/srv").devices, ["8:16"]);
    assert.deepEqual(place("/srv+").devices, ["8:16", "7:0"]);
  });
});

describe("findBlockDevices", () => {
  it("finds a disk behind a real directory exactly where its file system has one", () => {
    const { devices: found } = findBlockDevices([{ source: tmpdir(), recursive: false }]);
    assert.equal(found.length > 0, statSync(tmpdir()).dev > 255);
    assert.ok(found.every((device) => /^[1-9][0-9]*:[0-9]+$/.test(device)));
  });
});
